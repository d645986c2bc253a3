// Rows in parallel; producers of a row's values under its loop, in local memory; the last block's columns in vectors.
//
//   for m: sum   for m: inverse   for m, n: norm
//   -> parallel m: { sum[local]; inverse[local]; for n/16: vectorized norm }
#include "ir/visit.h"
#include "schedule/rules/rules.h"

namespace mlc::schedule {
namespace {

std::vector<std::string> block_names(const ir::PrimFunc& f) {
  std::vector<std::string> names;
  ir::for_each_stmt(f.body, [&](const ir::Stmt& s) {
    if (const auto* b = ir::as<ir::Block>(s)) names.push_back(b->name);
  });
  return names;
}

constexpr int64_t kLanes = 16;

Result<void> vectorize_columns(Schedule& s, BlockRef block, const Decisions& decisions) {
  const ir::Block* b = s.find(block);
  if (b == nullptr || b->annotations.count("vectorize") == 0) return {};
  MLC_TRY(auto loops, s.loops(block));
  const ir::For* inner = s.find(loops.back());
  const int64_t* extent = ir::as_const_int(inner->extent);
  if (extent == nullptr || *extent % kLanes != 0) return {};
  Categorical lanes{"lanes", {}};
  for (int64_t n : {8, 16, 32, 64}) {
    if (*extent % n == 0) lanes.candidates.push_back(n);
  }
  MLC_TRY(const int64_t chosen, choose(s, decisions, lanes, kLanes));
  MLC_TRY(auto parts, s.split(loops.back(), {-1, chosen}));
  return s.vectorize(parts[1]);
}

}  // namespace

Result<Schedule> rowwise_rule(const ir::PrimFunc& f, const target::Target&, const Decisions& decisions) {
  Schedule s(f);
  const std::vector<std::string> names = block_names(f);
  if (names.empty()) return s;
  MLC_TRY(BlockRef last, s.block(names.back()));
  MLC_TRY(auto loops, s.loops(last));
  const LoopRef rows = loops[0];
  for (size_t i = names.size() - 1; i-- > 0;) {
    MLC_TRY(BlockRef producer, s.block(names[i]));
    const std::string buffer = s.find(producer)->writes[0].buffer->name;
    MLC_TRY_VOID(s.compute_at(producer, rows));
    MLC_TRY_VOID(s.set_scope(producer, buffer, ir::Scope::kLocal));
  }
  MLC_TRY_VOID(vectorize_columns(s, last, decisions));
  MLC_TRY_VOID(s.parallel(rows));
  return s;
}

}  // namespace mlc::schedule
