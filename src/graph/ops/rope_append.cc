// Rotary embedding with KV append. It writes the loops it wants: its access pattern (transposed keys) is the point.
// K pages are [kv_heads, head_dim, 16] so that 16 scores of a page are one vector, V pages [kv_heads, 16, head_dim].
#include "graph/ops/heads.h"
#include "graph/ops/ops.h"
#include "graph/ops/rounding.h"

namespace mlc::graph::ops {
namespace {

using ir::Buffer;
using ir::Expr;
using ir::ForKind;
using ir::Stmt;
using ir::Var;

// In qkv, cos, sin, slots, kcache, vcache (kscale, vscale); out q, kcache, vcache (kscale, vscale)
class RopeAppendEmitter {
 public:
  explicit RopeAppendEmitter(const EmitContext& c)
      : c_(c),
        h_(heads_of(*c.node)),
        half_(h_.dim / 2),
        lanes_(lanes_for(half_)),
        integer_(c.out[1]->dtype == DType::i8()),
        head_(ir::buffer("head", DType::f32(), {Expr(h_.dim)}, ir::Scope::kLocal)),
        peak_(ir::buffer("peak", DType::i32(), {Expr(lanes_)}, ir::Scope::kLocal)) {}

  Stmt emit() const {
    return ir::for_(
        "m", 0, c_.syms[static_cast<int>(c_.rows)],
        [&](const Var& m) {
          const Expr slot = index(c_.in[3], m), page = ir::floordiv(slot, kPage), offset = ir::floormod(slot, kPage);
          Stmt q = ir::for_("h", 0, h_.heads, [&](const Var& i) {
            return rotated(m, Expr(i) * h_.dim, [&](const Expr& d, const Expr& x) {
              return ir::store(c_.out[0], {m, vec(Expr(i) * h_.dim + d, lanes_)}, x);
            });
          });
          Stmt k = ir::for_("h", 0, h_.kv_heads, [&](const Var& i) {
            const Expr base = Expr(h_.heads * h_.dim) + Expr(i) * h_.dim;
            const auto put = [&](const Expr& d, const Expr& x) {
              return ir::store(c_.out[1], {page, i, vec(d, lanes_), offset}, x);
            };
            const Stmt keep = rotated(m, base, [&](const Expr& d, const Expr& x) { return set_head(d, x); });
            if (integer_) return append_codes(keep, put, c_.out[3], {page, i, offset});
            return rotated(m, base, [&](const Expr& d, const Expr& x) { return put(d, ir::cast(stored(), x)); });
          });
          Stmt v = ir::for_("h", 0, h_.kv_heads, [&](const Var& i) {
            const Expr base = Expr((h_.heads + h_.kv_heads) * h_.dim) + Expr(i) * h_.dim;
            const auto put = [&](const Expr& d, const Expr& x) {
              return ir::store(c_.out[2], {page, i, offset, vec(d, lanes_)}, x);
            };
            const auto value = [&](const Expr& d) { return ir::load(c_.in[0], {m, vec(base + d, lanes_)}); };
            const Stmt keep = columns([&](const Expr& d) { return set_head(d, value(d)); });
            if (integer_) return append_codes(keep, put, c_.out[4], {page, i, offset});
            return columns([&](const Expr& d) { return put(d, ir::cast(stored(), value(d))); });
          });
          Stmt body = ir::seq({q, k, v});
          return integer_ ? ir::allocate(head_, ir::allocate(peak_, body)) : body;
        },
        ForKind::kParallel);
  }

 private:
  using PerColumns = std::function<Stmt(const Expr& d, const Expr& x)>;

  DType stored() const { return c_.out[1]->dtype.with_lanes(lanes_); }
  Stmt columns(const std::function<Stmt(Expr)>& body) const {
    return ir::for_("d", 0, h_.dim / lanes_, [&](const Var& d) { return body(Expr(d) * lanes_); });
  }
  Stmt set_head(const Expr& d, const Expr& x) const { return ir::store(head_, {vec(d, lanes_)}, x); }

  // The head whose columns begin at `base`, rotated: lanes of the first half at d, of the second at d + half.
  Stmt rotated(const Expr& m, const Expr& base, const PerColumns& use) const {
    return ir::for_("d", 0, half_ / lanes_, [&](const Var& i) {
      const Expr d = Expr(i) * lanes_;
      auto at = [&](const Buffer& b, const Expr& column) { return ir::load(b, {m, vec(column, lanes_)}); };
      const Expr a = at(c_.in[0], base + d), b = at(c_.in[0], base + d + half_);
      const Expr cos = at(c_.in[1], d), sin = at(c_.in[2], d);
      return ir::seq({use(d, a * cos - b * sin), use(d + half_, b * cos + a * sin)});
    });
  }

  // Fills head_ by `keep`, then stores its codes and their scale.
  Stmt append_codes(const Stmt& keep, const PerColumns& put, const Buffer& scales, std::vector<Expr> at) const {
    const DType vi = DType::i32().with_lanes(lanes_);
    const auto value = [&](const Expr& d) { return ir::load(head_, {vec(d, lanes_)}); };
    const Expr peak = ir::load(peak_, {vec(0, lanes_)});
    const Stmt clear = ir::store(peak_, {vec(0, lanes_)}, ir::zero(vi));
    const Stmt find = columns(
        [&](const Expr& d) { return ir::store(peak_, {vec(0, lanes_)}, ir::max(peak, magnitude_bits(value(d)))); });
    const Var amax = ir::var("amax", DType::f32()), inverse = ir::var("inverse", DType::f32());
    const Stmt codes = columns([&](const Expr& d) {
      return put(d, ir::cast(DType::i8().with_lanes(lanes_), nearest_code(value(d), inverse)));
    });
    const Stmt scale = ir::store(scales, std::move(at), Expr(amax) * ir::f32(1.0 / 127.0));
    const Expr largest = lanes_ == 1 ? peak : ir::vector_reduce(ir::ReduceOp::kMax, peak);
    return ir::seq({keep, clear, find,
                    ir::let(amax, ir::reinterpret(DType::f32(), largest),
                            ir::let(inverse, inverse_scale(amax), ir::seq({codes, scale})))});
  }

  const EmitContext& c_;
  const Heads h_;
  const int64_t half_;
  const int lanes_;
  const bool integer_;
  const Buffer head_, peak_;  // of integer caches: the head in f32, the largest magnitudes so far
};

}  // namespace

OpDef rope_append() {
  return {"rope_append", OpKind::kExplicit,
          [](const Node& node, const std::vector<TensorType>& in) {
            const Heads h = heads_of(node);
            std::vector<TensorType> out = {
                {DType::f32(), {in[0].shape[0], quant::round_up(h.heads * h.dim, quant::kLanes)}}};
            out.insert(out.end(), in.begin() + 4, in.end());
            return out;
          },
          [](const EmitContext& c) { return RopeAppendEmitter(c).emit(); }, [](const Node&) -> int64_t { return 0; }};
}

}  // namespace mlc::graph::ops
