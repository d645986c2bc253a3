// A function and what is done to it: the user's view of scheduling.
//
//   Schedule s(func);
//   BlockRef c = *s.block("C");
//   std::vector<LoopRef> l = *s.loops(c);                  // outermost first
//   std::vector<LoopRef> n = *s.split(l[1], {-1, 16});     // -1: whatever is needed
//   MLC_TRY_VOID(s.vectorize(n[1]));
//   use(s.func());  puts(print(s.trace()).c_str());
//
// Every instruction checks that the meaning of the function is kept. One that is refused returns an error that names
// the loop or block and the reason, changes nothing, and leaves no mark in the trace. Each primitive is described in
// primitives/<name>.h with a picture of before and after; the rules stand in docs/schedule.md.
//
// What the schedule assumes of the function: computations stand in blocks (ir::block builds them), block names are
// unique, a block's loops cover its domain, and an intermediate buffer is an Allocate around the nests that use it.
// Loops are made to start at 0.
#pragma once

#include <string>
#include <vector>

#include "schedule/state.h"
#include "schedule/trace.h"

namespace mlc::schedule {

class Schedule {
 public:
  explicit Schedule(ir::PrimFunc f);

  const ir::PrimFunc& func() const { return state_.func; }
  const Trace& trace() const { return trace_; }

  // Any instruction; its outputs in order. The members below only spell this.
  Result<std::vector<Ref>> run(const Instruction& instruction);

  Result<BlockRef> block(const std::string& name);
  Result<std::vector<LoopRef>> loops(BlockRef block);

  Result<ValueRef> sample_categorical(std::string name, std::vector<int64_t> candidates,
                                      std::vector<double> probabilities, int64_t decision);
  Result<std::vector<ValueRef>> sample_perfect_tile(std::string name, LoopRef loop, int64_t max_innermost,
                                                    std::vector<int64_t> decision);

  Result<std::vector<LoopRef>> split(LoopRef loop, std::vector<Number> factors);
  Result<LoopRef> fuse(std::vector<LoopRef> loops);
  Result<void> reorder(std::vector<LoopRef> loops);
  Result<void> parallel(LoopRef loop);
  Result<void> vectorize(LoopRef loop);
  Result<void> unroll(LoopRef loop);
  Result<void> bind(LoopRef loop, std::string thread);
  Result<void> compute_at(BlockRef block, LoopRef loop);
  Result<void> reverse_compute_at(BlockRef block, LoopRef loop);
  Result<void> compute_inline(BlockRef block);
  Result<void> reverse_compute_inline(BlockRef block);
  Result<BlockRef> cache_read(BlockRef block, std::string buffer, ir::Scope scope);
  Result<BlockRef> cache_write(BlockRef block, std::string buffer, ir::Scope scope);
  Result<BlockRef> decompose_reduction(BlockRef block, LoopRef loop);  // the block of the init
  Result<BlockRef> rfactor(LoopRef loop, int64_t factor_axis);         // the block of the partial results
  Result<BlockRef> blockize(LoopRef loop);
  Result<BlockRef> tensorize(LoopRef loop, std::string intrin);
  Result<void> transform_layout(BlockRef block, std::string buffer, IndexMap map);
  Result<void> pad_einsum(BlockRef block, std::vector<int64_t> padding);
  Result<void> set_scope(BlockRef block, std::string buffer, ir::Scope scope);
  Result<void> annotate(LoopRef loop, std::string key, ir::AnnotationValue value);
  Result<void> annotate(BlockRef block, std::string key, ir::AnnotationValue value);

  // Looks without leaving a mark in the trace.
  bool has_block(const std::string& name) const;
  const ir::Block* find(BlockRef block) const;  // null when it is gone
  const ir::For* find(LoopRef loop) const;
  int64_t value(ValueRef v) const;  // of this schedule

 private:
  State state_;
  Trace trace_;
};

// Applies a trace to a function. An error says which line was refused.
Result<Schedule> replay(const ir::PrimFunc& f, const Trace& trace);

}  // namespace mlc::schedule
