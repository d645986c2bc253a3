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
    } else if (b->dtype == DType::bf16()) {
      const uint16_t v = f32_to_bf16(std::uniform_real_distribution<float>(-1, 1)(rng));
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

// The function as an adverse machine would run it: independent loops backwards, and what is private to an iteration of
// a parallel loop (or a thread) with undefined contents at its start. It must mean the same.
class Adverse : public ir::Mutator {
 public:
  using Mutator::mutate;
  ir::Stmt mutate(const ir::Stmt& s) override {
    if (const auto* a = ir::as<ir::Allocate>(s); a && a->buffer->scope == ir::Scope::kLocal) {
      if (ir::Stmt moved = into_loop(a->body, a->buffer)) return mutate(moved);
    }
    ir::Stmt out = Mutator::mutate(s);
    const auto* f = ir::as<ir::For>(out);
    if (!f || f->kind == ir::ForKind::kSerial || f->kind == ir::ForKind::kUnrolled) return out;
    ir::For n = *f;
    n.body = ir::substitute(f->body, {{f->var, f->extent - ir::Expr(1) - ir::Expr(f->var)}});
    return ir::make_stmt(std::move(n));
  }

 private:
  static bool uses(const ir::Stmt& s, const ir::Buffer& b) {
    bool found = false;
    ir::for_each_expr(s, [&](const ir::Expr& e) {
      if (const auto* l = ir::as<ir::Load>(e)) found |= l->buffer == b;
      if (const auto* l = ir::as<ir::LoadBits>(e)) found |= l->buffer == b;
    });
    ir::for_each_stmt(s, [&](const ir::Stmt& x) {
      if (const auto* st = ir::as<ir::Store>(x)) found |= st->buffer == b;
    });
    return found;
  }
  // `s` with the allocation inside the outermost parallel loop that holds all uses; null if there is none.
  static ir::Stmt into_loop(const ir::Stmt& s, const ir::Buffer& b) {
    if (const auto* f = ir::as<ir::For>(s)) {
      ir::For n = *f;
      if (f->kind == ir::ForKind::kParallel || f->kind == ir::ForKind::kThread) {
        n.body = ir::allocate(b, f->body);
      } else {
        n.body = into_loop(f->body, b);
      }
      return n.body ? ir::make_stmt(std::move(n)) : ir::Stmt();
    }
    if (const auto* a = ir::as<ir::Allocate>(s)) {
      ir::Stmt body = into_loop(a->body, b);
      return body ? ir::allocate(a->buffer, body) : ir::Stmt();
    }
    const auto* q = ir::as<ir::Seq>(s);
    if (!q) return {};
    std::vector<ir::Stmt> stmts = q->stmts;
    int users = 0;
    ir::Stmt* user = nullptr;
    for (ir::Stmt& c : stmts) {
      if (!uses(c, b)) continue;
      ++users;
      user = &c;
    }
    if (users != 1) return {};
    *user = into_loop(*user, b);
    return *user ? ir::seq(std::move(stmts)) : ir::Stmt();
  }
};
inline ir::PrimFunc adverse(ir::PrimFunc f) {
  f.body = Adverse().mutate(f.body);
  return f;
}

}  // namespace mlc::schedule::testing
