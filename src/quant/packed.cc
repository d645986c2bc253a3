#include "quant/packed.h"

#include <numeric>

#include "quant/scheme.h"

namespace mlc::quant {
namespace {

using ir::Buffer;
using ir::Expr;
using ir::Stmt;
using ir::Var;

Result<Storage> storage_of(const Scheme& scheme) {
  if (!scheme.is_quantized()) return scheme.model_dtype() == DType::bf16() ? Storage::kBf16Pairs : Storage::kFloat;
  if (scheme.group_size() == kGroup && scheme.bits() == 4) return Storage::kInt4Group32;
  if (scheme.group_size() == kGroup && scheme.bits() == 8) return Storage::kInt8Group32;
  return error(ErrorCode::kUnsupported, "no kernel reads {}: {} bits in groups of {}", scheme.name(), scheme.bits(),
               scheme.group_size());
}

std::vector<Expr> to_exprs(const std::vector<int64_t>& shape) { return {shape.begin(), shape.end()}; }

// [S, B]: see packed.h.
std::vector<int64_t> block_shape(int64_t n, const std::vector<int64_t>& rest) {
  const int64_t blocks = round_up(n, kLanes) / kLanes, streams = streams_of(blocks);
  std::vector<int64_t> shape = {streams, blocks / streams};
  shape.insert(shape.end(), rest.begin(), rest.end());
  return shape;
}

// Where column n's block is: the first two indices.
std::vector<Expr> block_at(const Buffer& b, const Expr& n, const std::vector<Expr>& rest) {
  const Expr block = ir::floordiv(n, kLanes);
  std::vector<Expr> at = {ir::floormod(block, b->shape[0]), ir::floordiv(block, b->shape[0])};
  at.insert(at.end(), rest.begin(), rest.end());
  return at;
}

// The column of a lane of the block at [i0, i1].
Expr column_at(const std::vector<int64_t>& shape, const std::vector<Var>& i, const Expr& lane) {
  return (Expr(i[1]) * shape[0] + i[0]) * kLanes + lane;
}

// A loop nest "for each index in parallel along the longer of the first two dimensions, for each of the rest" around
// one store.
ir::PrimFunc pack_func(const std::string& name, const std::vector<SourceTensor>& sources, DType dtype,
                       const std::vector<int64_t>& shape,
                       const std::function<Expr(const std::vector<Buffer>&, const std::vector<Var>&)>& value) {
  ir::PrimFunc f;
  f.name = name;
  for (const SourceTensor& s : sources) f.buffers.push_back(ir::buffer("src", s.dtype, to_exprs(s.shape)));
  Buffer packed = ir::buffer("packed", dtype, to_exprs(shape));
  f.buffers.push_back(packed);
  std::vector<Var> vars;
  for (size_t d = 0; d < shape.size(); ++d) vars.push_back(ir::var("i" + std::to_string(d)));
  std::vector<Buffer> in(f.buffers.begin(), f.buffers.end() - 1);
  Stmt body = ir::store(packed, {vars.begin(), vars.end()}, value(in, vars));
  std::vector<size_t> order(shape.size());  // of the loops, outermost first
  std::iota(order.begin(), order.end(), size_t{0});
  if (shape.size() > 1 && shape[1] > shape[0]) std::swap(order[0], order[1]);
  for (size_t d = shape.size(); d-- > 0;) {
    const auto kind = d == 0 ? ir::ForKind::kParallel : ir::ForKind::kSerial;
    body = ir::for_(vars[order[d]], 0, shape[order[d]], body, kind);
  }
  f.body = body;
  return f;
}

PackedTensor pack_float(const std::string& name, DType dtype, int64_t n, int64_t k) {
  PackedTensor t{name, dtype, block_shape(n, {k, kLanes}), {{name, dtype, {n, k}}}, {}};
  t.pack = pack_func("pack_float", t.sources, dtype, t.shape, [&](const auto& in, const auto& i) {
    Expr row = column_at(t.shape, i, i[3]);
    return ir::load(in[0], {row, i[2]}, row < Expr(n));
  });
  return t;
}

PackedTensor pack_bf16(const std::string& name, int64_t n, int64_t k) {
  PackedTensor t{name, DType::u32(), block_shape(n, {(k + 1) / 2, kLanes}), {{name, DType::bf16(), {n, k}}}, {}};
  t.pack = pack_func("pack_bf16", t.sources, t.dtype, t.shape, [&](const auto& in, const auto& i) {
    const Expr row = column_at(t.shape, i, i[3]), first = Expr(i[2]) * 2;
    const auto bits = [&](const Expr& column) {
      const Expr inside = ir::logical_and(row < Expr(n), column < Expr(k));
      return ir::cast(DType::u32(), ir::reinterpret(DType::u16(), ir::load(in[0], {row, column}, inside)));
    };
    return bits(first) | (bits(first + 1) << ir::u32(16));
  });
  return t;
}

// int4: eight codes per source word, at bits 4 (k % 8); packed, code 4h + j of a word is at bits 8 j + 4 h.
Expr interleave_nibbles(const Expr& word) {
  Expr out;
  for (int h = 0; h < 2; ++h) {
    for (int j = 0; j < 4; ++j) {
      Expr nibble = ((word >> ir::u32(16 * h + 4 * j)) & ir::u32(15)) << ir::u32(8 * j + 4 * h);
      out = out ? (out | nibble) : nibble;
    }
  }
  return out;
}

PackedTensor pack_codes(const std::string& prefix, Storage storage, int64_t n, int64_t groups) {
  const int64_t words = storage == Storage::kInt4Group32 ? 4 : 8;  // per group
  PackedTensor t;
  t.name = prefix + ".q_weight";
  t.dtype = DType::u32();
  t.shape = block_shape(n, {groups, words, kLanes});
  t.sources = {{t.name, DType::u32(), {n, groups * words}}};
  t.pack = pack_func(storage == Storage::kInt4Group32 ? "pack_int4" : "pack_int8", t.sources, t.dtype, t.shape,
                     [&](const auto& in, const auto& i) {
                       Expr row = column_at(t.shape, i, i[4]);
                       Expr word = ir::load(in[0], {row, Expr(i[2]) * words + i[3]}, row < Expr(n));
                       return storage == Storage::kInt4Group32 ? interleave_nibbles(word) : word;
                     });
  return t;
}

PackedTensor pack_scales(const std::string& prefix, DType dtype, int64_t n, int64_t groups) {
  PackedTensor t;
  t.name = prefix + ".q_scale";
  t.dtype = dtype;
  t.shape = block_shape(n, {groups, kLanes});
  t.sources = {{t.name, dtype, {n, groups}}};
  t.pack = pack_func("pack_scale", t.sources, dtype, t.shape, [&](const auto& in, const auto& i) {
    Expr row = column_at(t.shape, i, i[3]);
    return ir::load(in[0], {row, i[2]}, row < Expr(n));
  });
  return t;
}

}  // namespace

int64_t streams_of(int64_t blocks) { return blocks % 4 == 0 ? 4 : blocks % 2 == 0 ? 2 : 1; }

Result<PackedLinear> PackedLinear::create(const std::string& scheme, const std::string& prefix, int64_t n, int64_t k) {
  MLC_TRY(const Scheme* found, scheme_by_name(scheme));
  PackedLinear p;
  p.n_ = n;
  p.k_ = k;
  MLC_TRY(p.storage_, storage_of(*found));
  if (p.storage_ == Storage::kBf16Pairs) {
    p.tensors_.push_back(pack_bf16(prefix + ".weight", n, k));
  } else if (p.storage_ == Storage::kFloat) {
    p.tensors_.push_back(pack_float(prefix + ".weight", found->model_dtype(), n, k));
  } else {
    p.tensors_.push_back(pack_codes(prefix, p.storage_, n, p.groups()));
    p.tensors_.push_back(pack_scales(prefix, found->model_dtype(), n, p.groups()));
  }
  return p;
}

Expr PackedLinear::scale(const std::vector<Buffer>& buffers, const Expr& n, const Expr& g) const {
  MLC_CHECK(is_quantized() && buffers.size() == 2);
  return ir::cast(DType::f32(), ir::load(buffers[1], block_at(buffers[1], n, {g, ir::floormod(n, kLanes)})));
}

Expr PackedLinear::codes4(const std::vector<Buffer>& buffers, const Expr& n, const Expr& g, const Expr& s) const {
  MLC_CHECK(is_quantized() && buffers.size() == 2);
  const Expr lane = ir::floormod(n, kLanes);
  if (storage_ == Storage::kInt8Group32) return ir::load(buffers[0], block_at(buffers[0], n, {g, s, lane}));
  Expr word = ir::load(buffers[0], block_at(buffers[0], n, {g, ir::floordiv(s, 2), lane}));
  Expr shift = ir::cast(DType::u32(), ir::floormod(s, 2)) * ir::u32(4);
  return (word >> shift) & ir::u32(0x0f0f0f0f);
}

Expr PackedLinear::pair(const std::vector<Buffer>& buffers, const Expr& n, const Expr& h) const {
  MLC_CHECK(storage_ == Storage::kBf16Pairs && buffers.size() == 1);
  return ir::load(buffers[0], block_at(buffers[0], n, {h, ir::floormod(n, kLanes)}));
}

Expr PackedLinear::value(const std::vector<Buffer>& buffers, const Expr& n, const Expr& k) const {
  if (storage_ == Storage::kBf16Pairs) {
    const Expr shift = ir::cast(DType::u32(), ir::floormod(k, 2)) * ir::u32(16);
    return ir::reinterpret(DType::f32(), (pair(buffers, n, ir::floordiv(k, 2)) >> shift) << ir::u32(16));
  }
  if (storage_ == Storage::kFloat) {
    MLC_CHECK(buffers.size() == 1);
    return ir::cast(DType::f32(), ir::load(buffers[0], block_at(buffers[0], n, {k, ir::floormod(n, kLanes)})));
  }
  Expr g = ir::floordiv(k, kGroup), r = ir::floormod(k, kGroup);
  Expr four = codes4(buffers, n, g, ir::floordiv(r, 4));
  Expr shift = ir::cast(DType::u32(), ir::floormod(r, 4)) * ir::u32(8);
  Expr code = ir::cast(DType::i32(), (four >> shift) & ir::u32(255));
  return ir::cast(DType::f32(), code - ir::i32(zero())) * scale(buffers, n, g);
}

PackedTensor packed_vector(const std::string& name, DType source_dtype, int64_t n, int64_t n_padded) {
  PackedTensor t{name, DType::f32(), {n_padded}, {{name, source_dtype, {n}}}, {}};
  t.pack = pack_func("pack_vector", t.sources, t.dtype, t.shape, [n](const auto& in, const auto& i) {
    return ir::cast(DType::f32(), ir::load(in[0], {Expr(i[0])}, Expr(i[0]) < Expr(n)));
  });
  return t;
}

}  // namespace mlc::quant
