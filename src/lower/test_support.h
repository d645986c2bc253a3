// For tests of passes: functions from text, what they do to random memory by the interpreter, and how often a statement
// occurs.
//
//   const ir::PrimFunc f = parse("func f(A: f32[8]) { … }"), g = insert_prefetch(f);
//   expect_same(f, g, {});
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "arith/simplify.h"
#include "ir/interp.h"
#include "ir/text.h"
#include "ir/visit.h"
#include "lower/pipeline.h"

namespace mlc::lower {

using target::Target;

inline ir::PrimFunc parse(const std::string& text) {
  auto f = ir::parse_func(text);
  MLC_CHECK(f, "{}\n{}", f.error().message, text);
  return *f;
}

inline const Target& avx512() {
  static const Target* t = new Target(Target::parse("x86_64-linux-gnu -mcpu=cascadelake").value());
  return *t;
}
inline const Target& baseline() {
  static const Target* t = new Target(Target::parse("x86_64-linux-gnu").value());
  return *t;
}

using Memory = std::vector<std::vector<uint8_t>>;

// Buffers of the size that the shapes say for `sizes`, floats between -2 and 2, integers any.
inline Memory random_memory(const ir::PrimFunc& f, const std::vector<int64_t>& sizes, uint32_t seed) {
  std::mt19937 rng(seed);
  Memory memory;
  ir::VarMap values;
  for (size_t i = 0; i < sizes.size(); ++i) values[f.sizes[i]] = ir::Expr(sizes[i]);
  for (const auto& b : f.buffers) {
    int64_t n = 1;
    for (const auto& d : b->shape) n *= *ir::as_const_int(arith::simplify(ir::substitute(d, values)));
    std::vector<uint8_t> bytes(static_cast<size_t>(n * b->dtype.element_bytes()));
    for (auto& byte : bytes) byte = static_cast<uint8_t>(rng());
    if (b->dtype.is_bool()) {
      for (auto& byte : bytes) byte &= 1;
    }
    for (int64_t i = 0; b->dtype == DType::f32() && i < n; ++i) {
      reinterpret_cast<float*>(bytes.data())[i] = std::uniform_real_distribution<float>(-2, 2)(rng);
    }
    memory.push_back(std::move(bytes));
  }
  return memory;
}

inline Memory interpret(const ir::PrimFunc& f, Memory memory, const std::vector<int64_t>& sizes) {
  std::vector<ir::RawBuffer> raw;
  for (auto& m : memory) raw.push_back({m.data(), static_cast<int64_t>(m.size())});
  auto r = ir::interpret(f, raw, sizes);
  EXPECT_TRUE(r) << r.error().message << "\n" << ir::print(f);
  return memory;
}

inline void expect_same(const ir::PrimFunc& before, const ir::PrimFunc& after, const std::vector<int64_t>& sizes) {
  const Memory memory = random_memory(before, sizes, 7);
  EXPECT_EQ(interpret(before, memory, sizes), interpret(after, memory, sizes)) << ir::print(after);
}

// Through the whole table, verified after every pass.
inline ir::PrimFunc lowered(const ir::PrimFunc& f, const Target& target = avx512()) {
  PassHooks hooks;
  hooks.verify = true;
  ir::Module m;
  m.functions.push_back(f);
  auto r = run(m, target, hooks);
  MLC_CHECK(r, "{}", r.error().message);
  return r->functions[0];
}

template <typename T>
inline int count(const ir::PrimFunc& f) {
  int n = 0;
  ir::for_each_stmt(f.body, [&](const ir::Stmt& s) { n += ir::as<T>(s) != nullptr; });
  return n;
}

}  // namespace mlc::lower
