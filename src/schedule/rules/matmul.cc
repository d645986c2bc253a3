// The CPU matmul. Before, with an integer dot product and a residual tail (m = mt * tile + mi):
//
//   for m, n, g, s: dot[m, n, g] += dot4(w[n, g, s], x[m, g, s])
//   for m, n, g:    c[m, n] += dot[m, n, g] * scales
//   for m, n:       out[m, n] = c[m, n] + residual[m, n]
//
// After: column blocks in parallel, all row tiles of a column block before the next, so that its weights are read from
// memory once; a tile's sums in registers; several column blocks at once when there are few rows, which makes several
// address streams:
//
//   parallel no: for mt:
//     c[tile, nb * 16] = 0                                      (registers)
//     for g:                                                    (ascending: every kernel of the family sums alike)
//       unrolled s, mi, nb: dot[mi, nb, 16 lanes] += dot4(…)    (registers)
//       unrolled mi, nb:    c[mi, nb, 16 lanes] += dot * scales
//     out[tile, nb * 16] = c + residual
//
// with the weights of the next iterations prefetched (lower/insert_prefetch.h).
#include "ir/visit.h"
#include "schedule/rules/rules.h"

namespace mlc::schedule {
namespace {

constexpr int64_t kLanes = 16;

struct Names {
  std::string dequantize, dot;     // empty when absent
  std::vector<std::string> tails;  // elementwise blocks behind "matmul", in order
};

Names find_names(const ir::PrimFunc& f) {
  Names names;
  ir::for_each_stmt(f.body, [&](const ir::Stmt& s) {
    const auto* b = ir::as<ir::Block>(s);
    if (b == nullptr || b->name == "matmul") return;
    if (b->name == "dequantize") {
      names.dequantize = b->name;
    } else if (b->name == "dot") {
      names.dot = b->name;
    } else {
      names.tails.push_back(b->name);
    }
  });
  return names;
}

// Column blocks of 16 that one kernel instance works on, chosen by hand: as many as keep sums and products in
// registers, and divide the number of blocks.
int64_t column_blocks(int64_t columns, int64_t row_tile, const target::Target& target) {
  const int64_t registers = target.vector_bits() >= 512 ? 16 : 4;  // for sums; as many again for products and operands
  int64_t blocks = std::max<int64_t>(1, std::min<int64_t>(4, registers / 2 / row_tile));
  while ((columns / kLanes) % blocks != 0) blocks /= 2;
  return blocks;
}

std::vector<int64_t> divisors(int64_t n, int64_t most) {
  std::vector<int64_t> out;
  for (int64_t d = 1; d <= most; ++d) {
    if (n % d == 0) out.push_back(d);
  }
  return out;
}

// Weights come from memory once per step, whatever the number of rows; asking for the next column blocks while these
// compute hides that. A single row computes so little that its loads alone keep the memory busy where the hardware
// follows many streams; elsewhere the next two kilobytes of each stream are asked for.
constexpr int64_t kGroupsAhead = 8;     // 2 KB of 4-bit codes
constexpr int64_t kElementsAhead = 64;  // 2 KB of 16-bit floats
constexpr int64_t kPairsAhead = 32;     // 2 KB of words of two bf16

constexpr int64_t kStepsPerTrip = 4;  // reduction steps, at most: more only makes code longer

Result<void> prefetch_into(Schedule& s, LoopRef loop, int64_t ahead) {
  if (ahead == 0) return {};
  const ir::PrimFunc f = s.func();
  for (const ir::Buffer& b : f.buffers) {
    if (b->shape.size() < 3) continue;  // activations, results and biases
    MLC_TRY_VOID(s.annotate(loop, "prefetch_" + b->name, ahead));
  }
  return {};
}

// Several reduction steps in a trip of their loop, and weights asked for ahead of time.
Result<void> stream_weights(Schedule& s, const Decisions& decisions, LoopRef columns, int64_t row_tile,
                            const Names& names, const target::Target& target) {
  MLC_TRY(BlockRef matmul, s.block("matmul"));
  MLC_TRY(auto loops, s.loops(matmul));
  LoopRef reduction = loops[2];  // behind column blocks and rows
  const int64_t steps = *ir::as_const_int(s.find(reduction)->extent);
  // A word of two bf16 is loaded once for both only if both are in one trip.
  const ir::PrimFunc f = s.func();
  const bool words = std::any_of(f.buffers.begin(), f.buffers.end(),
                                 [](const ir::Buffer& b) { return b->dtype == DType::u32() && b->shape.size() == 4; });
  const int64_t by_hand = words && !names.dequantize.empty() && steps % 2 == 0 ? 2 : 1;
  MLC_TRY(const auto tile, choose_tile(s, decisions, "steps_per_trip", reduction, kStepsPerTrip, {by_hand}));
  const int64_t per_trip = tile.back();
  if (per_trip > 1) {
    MLC_TRY(auto parts, s.split(reduction, {tile[0], per_trip}));
    MLC_TRY_VOID(s.unroll(parts[1]));
    reduction = parts[0];
  }
  const bool pairs = words && names.dequantize.empty() && names.dot.empty();
  const int64_t some = !names.dot.empty() ? kGroupsAhead : pairs ? kPairsAhead : kElementsAhead;
  const bool by_steps = row_tile == 1 && target.cpu.rfind("znver", 0) != 0;
  MLC_TRY(const int64_t blocks_ahead, choose(s, decisions, {"prefetch_blocks", {0, 1, 2}}, row_tile == 1 ? 0 : 1));
  MLC_TRY(const int64_t steps_ahead,
          choose(s, decisions, {"prefetch_steps", {0, some / 2, some, 2 * some, 4 * some}}, by_steps ? some : 0));
  MLC_TRY_VOID(prefetch_into(s, columns, blocks_ahead));
  return prefetch_into(s, reduction, steps_ahead / per_trip);
}

// The loops of a block under the tile loop.
struct Inner {
  LoopRef reduction;
  std::vector<LoopRef> rows;  // none when the tile is one row
  LoopRef column;
};

// Splits the column loop into column blocks and lanes, orders (reduction, rows, column block, lane), unrolls and
// vectorizes.
Result<void> tile_inner(Schedule& s, const Inner& inner, bool has_reduction, int64_t blocks) {
  MLC_TRY(auto parts, s.split(inner.column, {blocks, kLanes}));
  std::vector<LoopRef> order;
  if (has_reduction) order.push_back(inner.reduction);
  order.insert(order.end(), inner.rows.begin(), inner.rows.end());
  order.insert(order.end(), parts.begin(), parts.end());
  MLC_TRY_VOID(s.reorder(order));
  for (LoopRef row : inner.rows) MLC_TRY_VOID(s.unroll(row));
  MLC_TRY_VOID(s.unroll(parts[0]));
  return s.vectorize(parts[1]);
}

// The loops of `block` behind the first `outside` ones: rows, column, then the reduction if it has one.
Result<Inner> inner_loops(Schedule& s, BlockRef block, size_t outside, bool has_reduction) {
  MLC_TRY(auto loops, s.loops(block));
  Inner inner;
  size_t end = loops.size();
  if (has_reduction) inner.reduction = loops[--end];
  inner.column = loops[--end];
  for (size_t i = outside; i < end; ++i) inner.rows.push_back(loops[i]);
  return inner;
}

// A block with init: separates the init, then tiles both.
Result<void> tile_reduction(Schedule& s, BlockRef block, size_t outside, int64_t blocks, bool unroll_reduction) {
  MLC_TRY(Inner update, inner_loops(s, block, outside, true));
  MLC_TRY_VOID(tile_inner(s, update, true, blocks));
  MLC_TRY(BlockRef init, s.decompose_reduction(block, update.reduction));
  if (unroll_reduction) MLC_TRY_VOID(s.unroll(update.reduction));
  // The init inherits the tiling below the reduction loop; its loops are fresh and still serial.
  MLC_TRY(auto loops, s.loops(init));
  for (size_t i = outside; i + 1 < loops.size(); ++i) MLC_TRY_VOID(s.unroll(loops[i]));
  return s.vectorize(loops.back());
}

}  // namespace

Result<Schedule> matmul_rule(const ir::PrimFunc& f, const target::Target& target, const Decisions& decisions) {
  Schedule s(f);
  Names names = find_names(f);
  const int64_t tile = std::get<int64_t>(f.attrs.at("row_tile"));
  MLC_TRY(BlockRef matmul, s.block("matmul"));
  const std::string sums = s.find(matmul)->writes[0].buffer->name;
  if (!names.dequantize.empty()) {
    MLC_TRY(BlockRef dequantize, s.block(names.dequantize));
    MLC_TRY_VOID(s.compute_inline(dequantize));
  }
  // The block that writes the result.
  MLC_CHECK(!names.tails.empty(), "{}: a matmul ends with an elementwise block", f.name);
  MLC_TRY(BlockRef out, s.block(names.tails.back()));
  // Tile the output: [no, m or mt, (mi), nb, ni].
  MLC_TRY(auto loops, s.loops(out));
  const LoopRef column = loops.back(), rows = loops[0];
  const int64_t columns = *ir::as_const_int(s.find(column)->extent);
  MLC_TRY(const int64_t blocks,
          choose(s, decisions, {"column_blocks", divisors(columns / kLanes, 8)}, column_blocks(columns, tile, target)));
  MLC_TRY(auto parts, s.split(column, {-1, blocks, kLanes}));
  std::vector<LoopRef> order = {parts[0], rows};
  if (tile > 1) order.push_back(loops[1]);
  order.push_back(parts[1]);
  order.push_back(parts[2]);
  MLC_TRY_VOID(s.reorder(order));
  const size_t outside = 2;  // no, and m or mt
  for (size_t i = names.tails.size() - 1; i-- > 0;) {
    MLC_TRY(BlockRef tail, s.block(names.tails[i]));
    MLC_TRY_VOID(s.compute_at(tail, rows));
    MLC_TRY_VOID(s.set_scope(tail, s.find(tail)->writes[0].buffer->name, ir::Scope::kLocal));
    MLC_TRY(Inner inner, inner_loops(s, tail, outside, false));
    MLC_TRY_VOID(tile_inner(s, inner, false, blocks));
  }
  MLC_TRY_VOID(s.compute_at(matmul, rows));
  MLC_TRY_VOID(s.set_scope(matmul, sums, ir::Scope::kLocal));
  if (!names.dot.empty()) {
    MLC_TRY(Inner inner, inner_loops(s, matmul, outside, true));
    std::vector<LoopRef> first = {inner.reduction};
    first.insert(first.end(), inner.rows.begin(), inner.rows.end());
    first.push_back(inner.column);
    MLC_TRY_VOID(s.reorder(first));
    MLC_TRY(BlockRef dot, s.block(names.dot));
    MLC_TRY_VOID(s.compute_at(dot, inner.reduction));
    MLC_TRY_VOID(s.set_scope(dot, s.find(dot)->writes[0].buffer->name, ir::Scope::kLocal));
    MLC_TRY_VOID(tile_reduction(s, dot, outside + 1, blocks, true));
    MLC_TRY_VOID(tile_inner(s, {inner.reduction, inner.rows, inner.column}, false, blocks));
    MLC_TRY(BlockRef init, s.decompose_reduction(matmul, inner.reduction));
    MLC_TRY(auto init_loops, s.loops(init));
    for (size_t i = outside; i + 1 < init_loops.size(); ++i) MLC_TRY_VOID(s.unroll(init_loops[i]));
    MLC_TRY_VOID(s.vectorize(init_loops.back()));
  } else {
    MLC_TRY_VOID(tile_reduction(s, matmul, outside, blocks, false));
  }
  if (tile > 1) MLC_TRY_VOID(s.unroll(loops[1]));
  MLC_TRY_VOID(s.unroll(parts[1]));
  MLC_TRY_VOID(s.vectorize(parts[2]));
  MLC_TRY_VOID(s.parallel(parts[0]));
  MLC_TRY_VOID(stream_weights(s, decisions, parts[0], tile, names, target));
  return s;
}

}  // namespace mlc::schedule
