// tensorize: the nest under a loop is replaced by a hardware instruction with the same meaning.
//
//   for n in 0..16 { for j in 0..4 { C[m, n] += i32(A[n, j]) * i32(B[m, k * 4 + j]) } }      b1 = tensorize(n,
//   "dot_u8s8_vnni512")
//   ->
//   block C(vm = m, vk = k) { <the instruction's vector code on C[vm, 0..16], A[0..16, 0..4], B[vm, vk * 4 ..]> }
//
// The intrinsic (ir/intrinsics.h) brings a description and an implementation. The nest matches when its loops have the
// same extents and its body is the description's, up to the order of commutative operands, with each buffer of the
// description laid onto a contiguous part of a real one: dimensions are aligned from the right, leading ones take an
// index free of the tile's loops, and a description may be folded into the last dimension. Refused otherwise, with the
// first difference; also when the block still has its init (decompose_reduction first) or a predicate that cuts through
// the tile.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct Tensorize {
  static constexpr const char* kName = "tensorize";
  LoopRef loop;
  std::string intrin;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.loop, x.intrin);
  }
};
Result<Change> apply(const State& s, const Tensorize& x);

}  // namespace mlc::schedule
