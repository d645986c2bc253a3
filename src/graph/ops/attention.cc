// Rotary embedding with KV append, and attention over the paged cache. Both write the loops they want: their access
// patterns (page tables, transposed keys) are the point, and the loop structure follows from the cache layout:
// K pages are [kv_heads, head_dim, 16] so that 16 scores of a page are one vector, V pages [kv_heads, 16, head_dim].
#include <cmath>

#include "graph/ops/ops.h"

namespace mlc::graph::ops {
namespace {

using ir::Buffer;
using ir::Expr;
using ir::ForKind;
using ir::Stmt;
using ir::Var;

constexpr int64_t kPage = 16;

struct Heads {
  int64_t heads, kv_heads, dim;
  int64_t group() const { return heads / kv_heads; }
};
Heads heads_of(const Node& node) {
  return {node.int_attr("heads"), node.int_attr("kv_heads"), node.int_attr("head_dim")};
}

Expr index(const Buffer& b, Expr i) { return ir::cast(DType::i64(), ir::load(b, {std::move(i)})); }

// The widest power of two of lanes, up to 16, that divides n.
int lanes_for(int64_t n) {
  int lanes = 16;
  while (n % lanes != 0) lanes /= 2;
  return lanes;
}
Expr vec(Expr base, int lanes) { return lanes == 1 ? base : ir::ramp(std::move(base), 1, lanes); }
Expr splat(Expr e, int lanes) { return lanes == 1 ? e : ir::broadcast(std::move(e), lanes); }

// ---- rope_append: in qkv, cos, sin, slots, (kcache, vcache); out q, kcache, vcache
Stmt emit_rope_append(const EmitContext& c) {
  const Heads h = heads_of(*c.node);
  const int64_t half = h.dim / 2;
  const int lanes = lanes_for(half);
  const Buffer &qkv = c.in[0], &cos = c.in[1], &sin = c.in[2], &slots = c.in[3];
  const Buffer &q = c.out[0], &k_cache = c.out[1], &v_cache = c.out[2];
  const DType vkv = k_cache->dtype.with_lanes(lanes);
  return ir::for_(
      "m", 0, c.syms[static_cast<int>(c.rows)],
      [&](Var m) {
        const Expr slot = index(slots, m), page = ir::floordiv(slot, kPage), offset = ir::floormod(slot, kPage);
        // Rotates the head that starts at column `base`: first and second half of the result for lanes at d.
        auto rotate = [&](const Expr& base, const Expr& d) {
          Expr a = ir::load(qkv, {m, vec(base + d, lanes)}), b = ir::load(qkv, {m, vec(base + d + half, lanes)});
          Expr co = ir::load(cos, {m, vec(d, lanes)}), si = ir::load(sin, {m, vec(d, lanes)});
          return std::pair{a * co - b * si, b * co + a * si};
        };
        auto over_half = [&](const std::function<Stmt(Expr)>& body) {
          return ir::for_("d", 0, half / lanes, [&](Var d) { return body(Expr(d) * lanes); });
        };
        Stmt q_loop = ir::for_("h", 0, h.heads, [&](Var i) {
          return over_half([&](const Expr& d) {
            const Expr base = Expr(i) * h.dim;
            auto [first, second] = rotate(base, d);
            return ir::seq({ir::store(q, {m, vec(base + d, lanes)}, first),
                            ir::store(q, {m, vec(base + d + half, lanes)}, second)});
          });
        });
        Stmt k_loop = ir::for_("h", 0, h.kv_heads, [&](Var i) {
          return over_half([&](const Expr& d) {
            auto [first, second] = rotate(Expr(h.heads * h.dim) + Expr(i) * h.dim, d);
            return ir::seq({ir::store(k_cache, {page, i, vec(d, lanes), offset}, ir::cast(vkv, first)),
                            ir::store(k_cache, {page, i, vec(d + half, lanes), offset}, ir::cast(vkv, second))});
          });
        });
        Stmt v_loop = ir::for_("h", 0, h.kv_heads, [&](Var i) {
          return ir::for_("d", 0, h.dim / lanes, [&](Var d) {
            const Expr column = Expr((h.heads + h.kv_heads) * h.dim) + Expr(i) * h.dim + Expr(d) * lanes;
            Expr v = ir::load(qkv, {m, vec(column, lanes)});
            return ir::store(v_cache, {page, i, offset, vec(Expr(d) * lanes, lanes)}, ir::cast(vkv, v));
          });
        });
        return ir::seq({q_loop, k_loop, v_loop});
      },
      ForKind::kParallel);
}

// ---- attention: in q, positions, table_start, block_tables, kcache, vcache; out o
//
// Per row and KV head, the query heads of its group share every load of K and V. Online softmax page by page, in
// ascending order, so that a row's result does not depend on what else is in the step.
class AttentionEmitter {
 public:
  explicit AttentionEmitter(const EmitContext& c)
      : c_(c),
        h_(heads_of(*c.node)),
        lanes_(lanes_for(h_.dim)),
        g_(h_.group()),
        scale_(1.0 / std::sqrt(static_cast<double>(h_.dim))),
        scores_(local("scores", {g_, kPage})),
        top_(local("top", {g_})),
        total_(local("total", {g_})),
        acc_(local("acc", {g_, h_.dim})) {}

  Stmt emit() const {
    const Expr rows = c_.syms[static_cast<int>(c_.rows)];
    return ir::for_(
        "mh", 0, rows * h_.kv_heads,
        [&](Var mh) {
          const Expr m = ir::floordiv(mh, h_.kv_heads), head = ir::floormod(mh, h_.kv_heads);
          const Var pos = ir::var("pos"), table = ir::var("table");
          Stmt pages = ir::for_("p", 0, ir::floordiv(pos, kPage) + 1, [&](Var p) {
            const Var page = ir::var("page");
            return ir::let(page, index(c_.in[3], Expr(table) + p),
                           ir::seq({scores(m, head, page), rescale(p, pos), accumulate(head, page)}));
          });
          Stmt body = ir::seq({init(), pages, finish(m, head)});
          for (const Buffer& b : {acc_, total_, top_, scores_}) body = ir::allocate(b, body);
          return ir::let(pos, index(c_.in[1], m), ir::let(table, index(c_.in[2], m), body));
        },
        ForKind::kParallel);
  }

 private:
  static Buffer local(const std::string& name, std::vector<int64_t> shape) {
    return ir::buffer(name, DType::f32(), {shape.begin(), shape.end()}, ir::Scope::kLocal);
  }
  Stmt heads(const std::function<Stmt(Expr)>& body) const {
    return ir::for_("g", 0, g_, [&](Var g) { return body(g); }, ForKind::kUnrolled);
  }
  Stmt columns(const std::function<Stmt(Expr)>& body) const {
    return ir::for_("d", 0, h_.dim / lanes_, [&](Var d) { return body(Expr(d) * lanes_); }, ForKind::kUnrolled);
  }
  Expr score_vec(const Expr& g) const { return ir::load(scores_, {g, ir::ramp(0, 1, kPage)}); }
  Stmt set_scores(const Expr& g, Expr v) const { return ir::store(scores_, {g, ir::ramp(0, 1, kPage)}, std::move(v)); }

  Stmt init() const {
    return heads([&](const Expr& g) {
      return ir::seq(
          {ir::store(top_, {g}, ir::f32(-1e30)), ir::store(total_, {g}, ir::f32(0)), columns([&](const Expr& d) {
             return ir::store(acc_, {g, vec(d, lanes_)}, ir::zero(DType::f32().with_lanes(lanes_)));
           })});
    });
  }

  // scores[g, :] = sum over d of q[g, d] * K[page, head, d, :], ascending d
  Stmt scores(const Expr& m, const Expr& head, const Expr& page) const {
    const DType vf = DType::f32().with_lanes(kPage);
    Stmt clear = heads([&](const Expr& g) { return set_scores(g, ir::zero(vf)); });
    Stmt loop = ir::for_("d", 0, h_.dim, [&](Var d) {
      Expr k = ir::cast(vf, ir::load(c_.in[4], {page, head, d, ir::ramp(0, 1, kPage)}));
      return heads([&](const Expr& g) {
        Expr q = ir::load(c_.in[0], {m, (head * g_ + g) * h_.dim + d});
        return set_scores(g, ir::fma(splat(q, kPage), k, score_vec(g)));
      });
    });
    return ir::seq({clear, loop});
  }

  // The online softmax: a new maximum rescales what was summed so far; scores become probabilities.
  Stmt rescale(const Expr& p, const Expr& pos) const {
    const DType vf = DType::f32().with_lanes(kPage);
    Expr inside = ir::ramp(p * kPage, 1, kPage) <= splat(pos, kPage);
    return heads([&](const Expr& g) {
      const Var fresh = ir::var("fresh", DType::f32()), fix = ir::var("fix", DType::f32());
      Expr masked = ir::select(inside, score_vec(g) * ir::fimm(vf, scale_), ir::fimm(vf, -1e30));
      Expr probability = ir::exp(score_vec(g) - splat(fresh, kPage));
      Stmt update = ir::seq(
          {set_scores(g, ir::select(inside, probability, ir::zero(vf))),
           ir::store(total_, {g},
                     ir::fma(ir::load(total_, {g}), fix, ir::vector_reduce(ir::ReduceOp::kAdd, score_vec(g)))),
           ir::store(top_, {g}, fresh), columns([&](const Expr& d) {
             return ir::store(acc_, {g, vec(d, lanes_)}, ir::load(acc_, {g, vec(d, lanes_)}) * splat(fix, lanes_));
           })});
      Expr largest = ir::max(ir::load(top_, {g}), ir::vector_reduce(ir::ReduceOp::kMax, score_vec(g)));
      return ir::seq(
          {set_scores(g, masked), ir::let(fresh, largest, ir::let(fix, ir::exp(ir::load(top_, {g}) - fresh), update))});
    });
  }

  // acc[g, :] += sum over the page's tokens j of p[g, j] * V[page, head, j, :], ascending j
  Stmt accumulate(const Expr& head, const Expr& page) const {
    return ir::for_("j", 0, kPage, [&](Var j) {
      return columns([&](const Expr& d) {
        Expr v = ir::cast(DType::f32().with_lanes(lanes_), ir::load(c_.in[5], {page, head, j, vec(d, lanes_)}));
        return heads([&](const Expr& g) {
          Expr p = splat(ir::load(scores_, {g, j}), lanes_);
          return ir::store(acc_, {g, vec(d, lanes_)}, ir::fma(p, v, ir::load(acc_, {g, vec(d, lanes_)})));
        });
      });
    });
  }

  Stmt finish(const Expr& m, const Expr& head) const {
    return heads([&](const Expr& g) {
      const Var inverse = ir::var("inverse", DType::f32());
      return ir::let(inverse, ir::f32(1) / ir::load(total_, {g}), columns([&](const Expr& d) {
                       return ir::store(c_.out[0], {m, vec((head * g_ + g) * h_.dim + d, lanes_)},
                                        ir::load(acc_, {g, vec(d, lanes_)}) * splat(inverse, lanes_));
                     }));
    });
  }

  const EmitContext& c_;
  const Heads h_;
  const int lanes_;
  const int64_t g_;
  const double scale_;
  const Buffer scores_, top_, total_, acc_;
};

}  // namespace

OpDef rope_append() {
  return {"rope_append", OpKind::kExplicit,
          [](const Node& node, const std::vector<TensorType>& in) {
            const Heads h = heads_of(node);
            return std::vector<TensorType>{
                {DType::f32(), {in[0].shape[0], quant::round_up(h.heads * h.dim, quant::kLanes)}}, in[4], in[5]};
          },
          emit_rope_append, [](const Node&) -> int64_t { return 0; }};
}

OpDef attention() {
  return {"attention", OpKind::kExplicit,
          [](const Node&, const std::vector<TensorType>& in) { return std::vector<TensorType>{in[0]}; },
          [](const EmitContext& c) { return AttentionEmitter(c).emit(); }, [](const Node&) -> int64_t { return 0; }};
}

}  // namespace mlc::graph::ops
