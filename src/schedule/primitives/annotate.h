// annotate: a note for later passes, on a loop or a block; it changes no meaning.
//
//   for i in 0..64 { C[i] }      annotate_loop(l0, "unroll_limit", 4)      ->      for i in 0..64 @{unroll_limit: 4} {
//   C[i] }
//
// An empty string as value removes the note.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct AnnotateLoop {
  static constexpr const char* kName = "annotate_loop";
  LoopRef loop;
  std::string key;
  ir::AnnotationValue value;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.loop, x.key, x.value);
  }
};
Result<Change> apply(const State& s, const AnnotateLoop& x);

struct AnnotateBlock {
  static constexpr const char* kName = "annotate_block";
  BlockRef block;
  std::string key;
  ir::AnnotationValue value;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.block, x.key, x.value);
  }
};
Result<Change> apply(const State& s, const AnnotateBlock& x);

}  // namespace mlc::schedule
