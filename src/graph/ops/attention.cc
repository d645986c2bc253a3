// Rotary embedding with KV append, and attention over the paged cache. Both write the loops they want: their access
// patterns (page tables, transposed keys) are the point, and the loop structure follows from the cache layout:
// K pages are [kv_heads, head_dim, 16] so that 16 scores of a page are one vector, V pages [kv_heads, 16, head_dim].
#include <algorithm>
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
// Per row and KV head, the query heads of its group share every load of K and V. Online softmax (Milakov and Gimelshein
// 2018) over strips of pages in ascending order: as many full pages at once as scores fit into registers, which spreads
// the cost of a new maximum, then the pages that are left, one by one, the last one masked. Where strips begin depends
// on the row's position alone, so that a row's result does not depend on what else is in the step.
class AttentionEmitter {
 public:
  explicit AttentionEmitter(const EmitContext& c)
      : c_(c),
        h_(heads_of(*c.node)),
        lanes_(lanes_for(h_.dim)),
        g_(h_.group()),
        strip_(std::clamp<int64_t>(kScoreVectors / g_, 1, kMaxStrip)),
        scale_(1.0 / std::sqrt(static_cast<double>(h_.dim))),
        scores_(local("scores", {strip_, g_, kPage})),
        top_(local("top", {g_})),
        total_(local("total", {g_, kPage})),
        acc_(local("acc", {g_, h_.dim})) {}

  Stmt emit() const {
    const Expr rows = c_.syms[static_cast<int>(c_.rows)];
    return ir::for_(
        "mh", 0, rows * h_.kv_heads,
        [&](Var mh) {
          const Expr m = ir::floordiv(mh, h_.kv_heads), head = ir::floormod(mh, h_.kv_heads);
          const Var pos = ir::var("pos"), table = ir::var("table");
          const Expr last = ir::floordiv(pos, kPage);  // the row's last page
          const Expr strips = ir::floordiv(Expr(pos) + 1, kPage * strip_);
          std::vector<Stmt> loops;
          if (strip_ > 1) {
            loops.push_back(ir::for_("strip", 0, strips, [&](Var i) {
              return pages(m, head, table, last, Expr(i) * strip_, strip_, nullptr);
            }));
          }
          loops.push_back(ir::for_("p", 0, last + 1 - strips * (strip_ > 1 ? strip_ : 0), [&](Var p) {
            const Expr first = strip_ > 1 ? Expr(p) + strips * strip_ : Expr(p);
            const Expr inside = ir::ramp(first * kPage, 1, kPage) <= splat(pos, kPage);
            return pages(m, head, table, last, first, 1, &inside);
          }));
          Stmt body = ir::seq({init(), ir::seq(std::move(loops)), finish(m, head)});
          for (const Buffer& b : {acc_, total_, top_, scores_}) body = ir::allocate(b, body);
          return ir::let(pos, index(c_.in[1], m), ir::let(table, index(c_.in[2], m), body));
        },
        ForKind::kParallel);
  }

 private:
  static constexpr int64_t kScoreVectors = 16;  // of one strip: half of the registers of AVX-512 and NEON's sum
  static constexpr int64_t kMaxStrip = 8;

  static Buffer local(const std::string& name, std::vector<int64_t> shape) {
    return ir::buffer(name, DType::f32(), {shape.begin(), shape.end()}, ir::Scope::kLocal);
  }
  static DType page_vec() { return DType::f32().with_lanes(kPage); }
  static Stmt each(const char* name, int64_t n, const std::function<Stmt(Expr)>& body) {
    return ir::for_(name, 0, n, [&](Var i) { return body(i); }, ForKind::kUnrolled);
  }
  Stmt heads(const std::function<Stmt(Expr)>& body) const { return each("g", g_, body); }
  Stmt columns(const std::function<Stmt(Expr)>& body) const {
    return each("d", h_.dim / lanes_, [&](const Expr& d) { return body(d * lanes_); });
  }
  Expr score_vec(const Expr& t, const Expr& g) const { return ir::load(scores_, {t, g, ir::ramp(0, 1, kPage)}); }
  Stmt set_scores(const Expr& t, const Expr& g, Expr v) const {
    return ir::store(scores_, {t, g, ir::ramp(0, 1, kPage)}, std::move(v));
  }
  Expr total_vec(const Expr& g) const { return ir::load(total_, {g, ir::ramp(0, 1, kPage)}); }
  Stmt set_total(const Expr& g, Expr v) const { return ir::store(total_, {g, ir::ramp(0, 1, kPage)}, std::move(v)); }

  Stmt init() const {
    return heads([&](const Expr& g) {
      return ir::seq(
          {ir::store(top_, {g}, ir::f32(-1e30)), set_total(g, ir::zero(page_vec())), columns([&](const Expr& d) {
             return ir::store(acc_, {g, vec(d, lanes_)}, ir::zero(DType::f32().with_lanes(lanes_)));
           })});
    });
  }

  // Adds `n` pages of the row's table from `first` on; `inside` (null: all) masks the tokens of a single page.
  Stmt pages(const Expr& m, const Expr& head, const Expr& table, const Expr& last, const Expr& first, int64_t n,
             const Expr* inside) const {
    std::vector<Var> page, next;
    for (int64_t t = 0; t < n; ++t) {
      page.push_back(ir::var("page"));
      next.push_back(ir::var("next"));
    }
    Stmt body = ir::seq({scores(m, head, page, next), rescale(n, inside), accumulate(head, page, next)});
    for (int64_t t = n; t-- > 0;) {
      const auto i = static_cast<size_t>(t);
      body = ir::let(next[i], index(c_.in[3], table + ir::min(first + n + t, last)), body);
      body = ir::let(page[i], index(c_.in[3], table + first + t), body);
    }
    return body;
  }

  // The next pages lie anywhere, so that no hardware stream follows them: they are asked for while these are read.
  static constexpr int kSecondLevel = 2;

  // scores[t, g, :] = sum over d of q[g, d] * K[page t, head, d, :], ascending d
  Stmt scores(const Expr& m, const Expr& head, const std::vector<Var>& page, const std::vector<Var>& next) const {
    std::vector<Stmt> clear, add;
    for (size_t t = 0; t < page.size(); ++t) {
      const Expr at = static_cast<int64_t>(t);
      clear.push_back(heads([&](const Expr& g) { return set_scores(at, g, ir::zero(page_vec())); }));
    }
    Stmt loop = ir::for_("d", 0, h_.dim, [&](Var d) {
      for (size_t t = 0; t < page.size(); ++t) {
        const Expr at = static_cast<int64_t>(t);
        add.push_back(ir::prefetch(c_.in[4], {next[t], head, d, 0}, kSecondLevel));
        const Expr k = ir::cast(page_vec(), ir::load(c_.in[4], {page[t], head, d, ir::ramp(0, 1, kPage)}));
        add.push_back(heads([&](const Expr& g) {
          Expr q = ir::load(c_.in[0], {m, (head * g_ + g) * h_.dim + d});
          return set_scores(at, g, ir::fma(splat(q, kPage), k, score_vec(at, g)));
        }));
      }
      return ir::seq(std::move(add));
    });
    clear.push_back(loop);
    return ir::seq(std::move(clear));
  }

  // The online softmax: a new maximum rescales what was summed so far; scores become probabilities.
  Stmt rescale(int64_t n, const Expr* inside) const {
    return heads([&](const Expr& g) {
      const Var fresh = ir::var("fresh", DType::f32()), fix = ir::var("fix", DType::f32());
      std::vector<Stmt> scale, update;
      Expr largest, sum = total_vec(g) * splat(fix, kPage);
      for (int64_t t = 0; t < n; ++t) {
        Expr scaled = score_vec(t, g) * ir::fimm(page_vec(), scale_);
        Expr probability = ir::exp(score_vec(t, g) - splat(fresh, kPage));
        if (inside != nullptr) {
          scaled = ir::select(*inside, scaled, ir::fimm(page_vec(), -1e30));
          probability = ir::select(*inside, probability, ir::zero(page_vec()));
        }
        scale.push_back(set_scores(t, g, scaled));
        update.push_back(set_scores(t, g, probability));
        largest = t == 0 ? score_vec(t, g) : ir::max(largest, score_vec(t, g));
        sum = sum + score_vec(t, g);
      }
      update.push_back(set_total(g, sum));
      update.push_back(ir::store(top_, {g}, fresh));
      update.push_back(columns([&](const Expr& d) {
        return ir::store(acc_, {g, vec(d, lanes_)}, ir::load(acc_, {g, vec(d, lanes_)}) * splat(fix, lanes_));
      }));
      const Expr top = ir::max(ir::load(top_, {g}), ir::vector_reduce(ir::ReduceOp::kMax, largest));
      scale.push_back(
          ir::let(fresh, top, ir::let(fix, ir::exp(ir::load(top_, {g}) - fresh), ir::seq(std::move(update)))));
      return ir::seq(std::move(scale));
    });
  }

  // acc[g, :] += sum over the pages' tokens j of p[t, g, j] * V[page t, head, j, :], ascending tokens
  Stmt accumulate(const Expr& head, const std::vector<Var>& page, const std::vector<Var>& next) const {
    const int64_t line = 64 / c_.in[5]->dtype.bytes();
    std::vector<Stmt> loops;
    for (size_t t = 0; t < page.size(); ++t) {
      loops.push_back(ir::for_("j", 0, kPage, [&](Var j) {
        const Stmt hints = each("c", std::max<int64_t>(1, h_.dim / line), [&](const Expr& x) {
          return ir::prefetch(c_.in[5], {next[t], head, j, x * line}, kSecondLevel);
        });
        const Stmt add = columns([&](const Expr& d) {
          Expr v = ir::cast(DType::f32().with_lanes(lanes_), ir::load(c_.in[5], {page[t], head, j, vec(d, lanes_)}));
          return heads([&](const Expr& g) {
            Expr p = splat(ir::load(scores_, {static_cast<int64_t>(t), g, j}), lanes_);
            return ir::store(acc_, {g, vec(d, lanes_)}, ir::fma(p, v, ir::load(acc_, {g, vec(d, lanes_)})));
          });
        });
        return ir::seq({hints, add});
      }));
    }
    return ir::seq(std::move(loops));
  }

  Stmt finish(const Expr& m, const Expr& head) const {
    return heads([&](const Expr& g) {
      const Var inverse = ir::var("inverse", DType::f32());
      const Expr total = ir::vector_reduce(ir::ReduceOp::kAdd, total_vec(g));
      return ir::let(inverse, ir::f32(1) / total, columns([&](const Expr& d) {
                       return ir::store(c_.out[0], {m, vec((head * g_ + g) * h_.dim + d, lanes_)},
                                        ir::load(acc_, {g, vec(d, lanes_)}) * splat(inverse, lanes_));
                     }));
    });
  }

  const EmitContext& c_;
  const Heads h_;
  const int lanes_;
  const int64_t g_, strip_;
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
