// For tests: runs a function and what became of it on the same random data and compares all buffers.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "arith/simplify.h"
#include "ir/interp.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ir/visit.h"

namespace mlc::schedule::testing {

using Bytes = std::vector<uint8_t>;

inline int64_t evaluate_size(const ir::Expr& e, const ir::PrimFunc& f, const std::vector<int64_t>& sizes) {
  ir::VarMap map;
  for (size_t i = 0; i < f.sizes.size(); ++i) map[f.sizes[i]] = ir::Expr(sizes[i]);
  ir::Expr v = arith::simplify(ir::substitute(e, map));
  MLC_CHECK(ir::as_const_int(v), "{} has no constant value", ir::print(v));
  return *ir::as_const_int(v);
}

// Small values, so that sums stay exact enough: floats in [-1, 1], integers over their whole range up to 8 bits.
inline Bytes random_buffer(const ir::Buffer& b, const ir::PrimFunc& f, const std::vector<int64_t>& sizes,
                           std::mt19937& rng) {
  int64_t count = 1;
  for (const ir::Expr& d : b->shape) count *= evaluate_size(d, f, sizes);
  Bytes bytes(static_cast<size_t>(count * b->dtype.bytes()));
  for (int64_t i = 0; i < count; ++i) {
    uint8_t* p = bytes.data() + i * b->dtype.bytes();
    if (b->dtype == DType::f32()) {
      const float v = std::uniform_real_distribution<float>(-1, 1)(rng);
      std::memcpy(p, &v, 4);
    } else if (b->dtype == DType::f16()) {
      const uint16_t v = f32_to_f16(std::uniform_real_distribution<float>(-1, 1)(rng));
      std::memcpy(p, &v, 2);
    } else if (b->dtype.is_bool()) {
      *p = rng() & 1;
    } else {
      const int64_t v = b->dtype.bits > 8 ? static_cast<int64_t>(rng() % 200) - 100 : static_cast<int64_t>(rng() % 256);
      std::memcpy(p, &v, static_cast<size_t>(b->dtype.bytes()));
    }
  }
  return bytes;
}

inline ::testing::AssertionResult close(const ir::Buffer& b, const Bytes& x, const Bytes& y) {
  if (!(b->dtype == DType::f32())) {
    if (x == y) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "buffer " << b->name << " differs";
  }
  for (size_t i = 0; i + 4 <= x.size(); i += 4) {
    float p, q;
    std::memcpy(&p, &x[i], 4);
    std::memcpy(&q, &y[i], 4);
    if (p == q || (std::isnan(p) && std::isnan(q))) continue;
    if (!(std::abs(p - q) <= 1e-4f * (1 + std::abs(p)))) {
      return ::testing::AssertionFailure()
             << "buffer " << b->name << " differs at element " << i / 4 << ": " << p << " became " << q;
    }
  }
  return ::testing::AssertionSuccess();
}

// Both functions have the same parameters.
inline ::testing::AssertionResult same_meaning(const ir::PrimFunc& before, const ir::PrimFunc& after,
                                               const std::vector<int64_t>& sizes, unsigned seed) {
  std::mt19937 rng(seed);
  std::vector<Bytes> x;
  for (const ir::Buffer& b : before.buffers) x.push_back(random_buffer(b, before, sizes, rng));
  std::vector<Bytes> y = x;
  auto run = [&](const ir::PrimFunc& f, std::vector<Bytes>& data) {
    std::vector<ir::RawBuffer> raw;
    for (Bytes& d : data) raw.push_back({d.data(), static_cast<int64_t>(d.size())});
    return ir::interpret(f, raw, sizes);
  };
  if (auto r = run(before, x); !r) return ::testing::AssertionFailure() << "before: " << r.error().message;
  if (auto r = run(after, y); !r) return ::testing::AssertionFailure() << "after: " << r.error().message;
  for (size_t i = 0; i < x.size(); ++i) {
    if (auto c = close(before.buffers[i], x[i], y[i]); !c) return c;
  }
  return ::testing::AssertionSuccess();
}

}  // namespace mlc::schedule::testing
