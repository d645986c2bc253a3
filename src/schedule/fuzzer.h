// For tests: random instructions, legal or not, on the functions of the golden cases.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "../tests/support/source_dir.h"
#include "base/knobs.h"
#include "ir/text.h"
#include "schedule/schedule.h"

namespace mlc::schedule::testing {

using namespace ir;  // NOLINT

inline PrimFunc golden_function(const std::string& name) {
  std::ifstream in(mlc::testing::source_file("tests/golden/schedule/" + name + ".tir"));
  std::string line, text;
  std::getline(in, line);  // === before
  while (std::getline(in, line) && line.rfind("===", 0) != 0) text += line + "\n";
  auto f = parse_func(text, name);
  EXPECT_TRUE(f) << f.error().message;
  return f ? *f : PrimFunc{};
}

// One case per kind of function: matmul, chain, softmax, convolution, matmul with a tail, sums, scans, bytes.
inline constexpr const char* kFunctions[] = {
    "split_divides", "compute_inline",       "compute_at_reduction", "compute_at_halo", "reverse_compute_at",
    "rfactor",       "reorder_refused_scan", "reorder_ordered",      "pad_einsum",      "parallel_refused_conflict"};

class Fuzzer {
 public:
  Fuzzer(Schedule& s, std::mt19937& rng) : s_(s), rng_(rng) {}

  // A random instruction, legal or not.
  Instruction next() {
    const std::vector<std::string> names = block_names();
    const BlockRef block = get_block(names[pick(names.size())]);
    const std::vector<LoopRef> loops = get_loops(block);
    auto loop = [&]() { return loops.empty() ? LoopRef{-1} : loops[pick(loops.size())]; };
    auto any_loop = [&]() {  // of another block
      std::vector<LoopRef> l = get_loops(get_block(names[pick(names.size())]));
      return l.empty() ? LoopRef{-1} : l[pick(l.size())];
    };
    switch (pick(26)) {
      case 0:
      case 1:
      case 2:
        return Split{loop(), {-1, one_of({2, 3, 4, 5, 8, 16})}};
      case 3:
        return Split{loop(), {-1, one_of({2, 3}), one_of({2, 4})}};
      case 4:
      case 5:
        return fuse(loops);
      case 6:
      case 7:
      case 8:
        return shuffled(loops);
      case 9:
        return Parallel{loop()};
      case 10:
        return Vectorize{loop()};
      case 11:
        return Unroll{loop()};
      case 12:
        return Bind{loop(), pick(2) ? "blockIdx.x" : "threadIdx.x"};
      case 13:
      case 14:
        return ComputeAt{block, any_loop()};
      case 15:
      case 16:
        return ReverseComputeAt{block, any_loop()};
      case 17:
        return ComputeInline{block};
      case 18:
        return ReverseComputeInline{block};
      case 19:
        return CacheRead{block, buffer_of(block, false), scope()};
      case 20:
        return CacheWrite{block, buffer_of(block, true), scope()};
      case 21:
        return DecomposeReduction{block, loop()};
      case 22:
        return Rfactor{loop(), static_cast<int64_t>(pick(3))};
      case 23:
        return Blockize{loop()};
      case 24:
        return pick(2) ? Instruction(SetScope{block, buffer_of(block, pick(2) == 0), scope()}) : layout(block);
      default:
        return PadEinsum{block, multiples(block)};
    }
  }

 private:
  Schedule& s_;
  std::mt19937& rng_;

  size_t pick(size_t n) { return rng_() % n; }
  int64_t one_of(std::vector<int64_t> v) { return v[pick(v.size())]; }
  Scope scope() { return static_cast<Scope>(pick(3)); }
  BlockRef get_block(const std::string& name) { return s_.block(name).value(); }
  std::vector<LoopRef> get_loops(BlockRef b) { return s_.loops(b).value(); }

  std::vector<std::string> block_names() {
    std::vector<std::string> out;
    for_each_stmt(s_.func().body, [&](const Stmt& st) {
      if (const Block* b = as<Block>(st)) out.push_back(b->name);
    });
    return out;
  }
  std::string buffer_of(BlockRef ref, bool write) {
    const Block* b = s_.find(ref);
    const auto& list = write ? b->writes : b->reads;
    return list.empty() ? "none" : list[pick(list.size())].buffer->name;
  }
  Instruction fuse(const std::vector<LoopRef>& loops) {
    if (loops.size() < 2) return Fuse{loops};
    const size_t at = pick(loops.size() - 1);
    return Fuse{{loops[at], loops[at + 1]}};
  }
  Instruction shuffled(std::vector<LoopRef> loops) {
    std::shuffle(loops.begin(), loops.end(), rng_);
    if (loops.size() > 2 && pick(2)) loops.resize(2 + pick(loops.size() - 2));
    return Reorder{loops};
  }
  std::vector<int64_t> multiples(BlockRef ref) {
    std::vector<int64_t> out;
    for (size_t i = 0; i < s_.find(ref)->iters.size(); ++i) out.push_back(one_of({1, 4, 16}));
    return out;
  }
  Instruction layout(BlockRef ref) {
    const Block* b = s_.find(ref);
    const Buffer buffer = b->writes.at(0).buffer;
    const int64_t tile = one_of({2, 3, 4, 16});
    const size_t dim = pick(buffer->shape.size());
    return TransformLayout{
        ref, buffer->name, IndexMap::from(static_cast<int>(buffer->shape.size()), [&](const auto& v) {
          std::vector<Expr> out(v.begin(), v.end());
          out[dim] = floordiv(v[dim], tile);
          out.insert(out.begin() + static_cast<std::ptrdiff_t>(pick(out.size() + 1)), floormod(v[dim], tile));
          return out;
        })};
  }
};

// A knob of this name, or `otherwise` where it is 0.
inline int setting(const char* name, int otherwise) {
  const auto v = static_cast<int>(knob_int(name));
  return v != 0 ? v : otherwise;
}

// A random function of the golden cases and a random legal schedule of it, by seed. Without `threads` no loop is bound
// to a thread of a grid.
inline std::pair<PrimFunc, Schedule> random_schedule(unsigned seed, bool threads) {
  std::mt19937 rng(seed);
  const PrimFunc before = golden_function(kFunctions[rng() % std::size(kFunctions)]);
  Schedule s(before);
  Fuzzer fuzzer(s, rng);
  const int steps = 1 + static_cast<int>(rng() % 10);
  for (int k = 0; k < steps; ++k) {
    const Instruction instruction = fuzzer.next();
    if (std::get_if<Bind>(&instruction) && !threads) continue;
    (void)s.run(instruction).has_value();  // a refusal changes nothing
  }
  return {before, std::move(s)};
}

}  // namespace mlc::schedule::testing
