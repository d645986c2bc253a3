// Rotary embedding with KV append, and attention over the paged cache. Both write the loops they want: their access
// patterns (page tables, transposed keys) are the point, and the loop structure follows from the cache layout:
// K pages are [kv_heads, head_dim, 16] so that 16 scores of a page are one vector, V pages [kv_heads, 16, head_dim].
#include <algorithm>
#include <cmath>

#include "graph/ops/ops.h"
#include "graph/ops/rounding.h"

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

// ---- rope_append: in qkv, cos, sin, slots, kcache, vcache (kscale, vscale); out q, kcache, vcache (kscale, vscale)
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

// ---- attention: in q, positions, table_start, block_tables, kcache, vcache (kscale, vscale); out o
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
        [&](const Var& mh) {
          const Expr m = ir::floordiv(mh, h_.kv_heads), head = ir::floormod(mh, h_.kv_heads);
          const Var pos = ir::var("pos"), table = ir::var("table");
          const Expr last = ir::floordiv(pos, kPage);  // the row's last page
          const Expr strips = ir::floordiv(Expr(pos) + 1, kPage * strip_);
          std::vector<Stmt> loops;
          if (strip_ > 1) {
            loops.push_back(ir::for_("strip", 0, strips, [&](const Var& i) {
              return pages(m, head, table, last, Expr(i) * strip_, strip_, nullptr);
            }));
          }
          loops.push_back(ir::for_("p", 0, last + 1 - strips * (strip_ > 1 ? strip_ : 0), [&](const Var& p) {
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
    return ir::for_(name, 0, n, [&](const Var& i) { return body(i); }, ForKind::kUnrolled);
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
    Stmt body = ir::seq({scores(m, head, page, next), rescale(head, page, inside), accumulate(head, page, next)});
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
    Stmt loop = ir::for_("d", 0, h_.dim, [&](const Var& d) {
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
  // Integer caches: a key's scale belongs to its score, a value's to its probability, once that is added to the total.
  Stmt rescale(const Expr& head, const std::vector<Var>& page, const Expr* inside) const {
    const bool integer = c_.in[4]->dtype == DType::i8();
    const auto n = static_cast<int64_t>(page.size());
    const auto scales = [&](size_t input, int64_t t) {
      return ir::load(c_.in[input], {page[static_cast<size_t>(t)], head, ir::ramp(0, 1, kPage)});
    };
    return heads([&](const Expr& g) {
      const Var fresh = ir::var("fresh", DType::f32()), fix = ir::var("fix", DType::f32());
      std::vector<Stmt> scale, update;
      Expr largest, sum = total_vec(g) * splat(fix, kPage);
      for (int64_t t = 0; t < n; ++t) {
        Expr scaled = score_vec(t, g) * ir::fimm(page_vec(), scale_);
        if (integer) scaled = scaled * scales(6, t);
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
      for (int64_t t = 0; integer && t < n; ++t) update.push_back(set_scores(t, g, score_vec(t, g) * scales(7, t)));
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
      loops.push_back(ir::for_("j", 0, kPage, [&](const Var& j) {
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
            std::vector<TensorType> out = {
                {DType::f32(), {in[0].shape[0], quant::round_up(h.heads * h.dim, quant::kLanes)}}};
            out.insert(out.end(), in.begin() + 4, in.end());
            return out;
          },
          [](const EmitContext& c) { return RopeAppendEmitter(c).emit(); }, [](const Node&) -> int64_t { return 0; }};
}

OpDef attention() {
  return {"attention", OpKind::kExplicit,
          [](const Node&, const std::vector<TensorType>& in) { return std::vector<TensorType>{in[0]}; },
          [](const EmitContext& c) { return AttentionEmitter(c).emit(); }, [](const Node&) -> int64_t { return 0; }};
}

}  // namespace mlc::graph::ops
