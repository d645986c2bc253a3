// The record of a schedule: what was done, with numbered values, as text and back.
//
//   b0 = block("C")
//   l0, l1, l2 = loops(b0)
//   l3, l4 = split(l1, [-1, 16])
//   reorder([l0, l3, l2, l4])
//   vectorize(l4)
//
// An instruction is a plain struct (primitives/<name>.h) with a name, its fields in order, and a function `apply`.
// Printing, parsing and replaying are written once, over the fields. To add a primitive: its file pair, its include and
// its place in `Instruction` below.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "schedule/primitives/annotate.h"
#include "schedule/primitives/bind.h"
#include "schedule/primitives/blockize.h"
#include "schedule/primitives/cache_read.h"
#include "schedule/primitives/cache_write.h"
#include "schedule/primitives/compute_at.h"
#include "schedule/primitives/compute_inline.h"
#include "schedule/primitives/decompose_reduction.h"
#include "schedule/primitives/fuse.h"
#include "schedule/primitives/get.h"
#include "schedule/primitives/pad_einsum.h"
#include "schedule/primitives/parallel.h"
#include "schedule/primitives/reorder.h"
#include "schedule/primitives/reverse_compute_at.h"
#include "schedule/primitives/reverse_compute_inline.h"
#include "schedule/primitives/rfactor.h"
#include "schedule/primitives/sample_categorical.h"
#include "schedule/primitives/sample_perfect_tile.h"
#include "schedule/primitives/set_scope.h"
#include "schedule/primitives/split.h"
#include "schedule/primitives/tensorize.h"
#include "schedule/primitives/transform_layout.h"
#include "schedule/primitives/unroll.h"
#include "schedule/primitives/vectorize.h"
#include "schedule/refs.h"

namespace mlc::schedule {

using Instruction = std::variant<GetBlock, GetLoops, SampleCategorical, SamplePerfectTile, Split, Fuse, Reorder,
                                 Parallel, Vectorize, Unroll, Bind, ComputeAt, ReverseComputeAt, ComputeInline,
                                 ReverseComputeInline, CacheRead, CacheWrite, DecomposeReduction, Rfactor, Blockize,
                                 Tensorize, TransformLayout, PadEinsum, SetScope, AnnotateLoop, AnnotateBlock>;

struct Step {
  Instruction instruction;
  std::vector<Ref> outputs;
};

struct Trace {
  std::vector<Step> steps;
};

std::string print(const Instruction& instruction);  // "split(l1, [-1, 16])"
std::string print(const Step& step);
std::string print(const Trace& trace);  // one line per step
// Errors name the line. Numbers need not be consecutive: replay maps them.
Result<Trace> parse_trace(std::string_view text);
// The same instruction with its references mapped.
Instruction map_refs(const Instruction& instruction, const std::function<Result<Ref>(const Ref&)>& f, Result<void>* ok);

Result<IndexMap> parse_index_map(std::string_view text);

}  // namespace mlc::schedule
