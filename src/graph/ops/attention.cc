// Attention over the paged cache: in q, positions, table_start, block_tables, kcache, vcache (kscale, vscale). It
// writes the loops it wants: page tables and the layout of the cache (rope_append.cc) decide them.
//
// Per row and KV head, the query heads of its group share every load of K and V. The row's context is cut into segments
// of a fixed number of pages. Within a segment: online softmax (Milakov and Gimelshein 2018) over strips of pages in
// ascending order, as many full pages at once as scores fit into registers, which spreads the cost of a new maximum;
// then the pages that are left, one by one, the last one masked. Segments are independent of each other and are merged
// in ascending order, as flash decoding does (Dao et al. 2023), either by who computed them (`attention`) or after all
// workers have computed some (`attention_parts`, `attention_combine`): the same sums in the same order, so the same
// bits. Where strips and segments begin depends on the row's position alone, so that a row's result depends neither on
// what else is in the step nor on the number of workers.
#include <algorithm>
#include <cmath>

#include "graph/ops/heads.h"
#include "graph/ops/ops.h"

namespace mlc::graph::ops {
namespace {

using ir::Buffer;
using ir::Expr;
using ir::ForKind;
using ir::Stmt;
using ir::Var;

Stmt each(const char* name, int64_t n, const std::function<Stmt(Expr)>& body) {
  return ir::for_(name, 0, n, [&](const Var& i) { return body(i); }, ForKind::kUnrolled);
}
Buffer local(const std::string& name, std::vector<int64_t> shape) {
  return ir::buffer(name, DType::f32(), {shape.begin(), shape.end()}, ir::Scope::kLocal);
}

// Strips of a segment: pages at once, and how many of them.
struct Strips {
  int64_t pages, count;
  int64_t segment_pages() const { return pages * count; }
  int64_t segment_tokens() const { return segment_pages() * kPage; }
};
Strips strips_of(const Node& node) {
  constexpr int64_t kScoreVectors = 16;  // of one strip: half of the registers of AVX-512 and NEON's sum
  constexpr int64_t kMaxStrip = 8;
  const int64_t pages = std::clamp<int64_t>(kScoreVectors / heads_of(node).group(), 1, kMaxStrip);
  return {pages, std::max<int64_t>(1, node.int_attr("segment") / pages)};
}

// What a segment comes to, per query head g of a group: its largest score, the sum over its tokens of exp(score - top),
// and the sum of these times the values, at columns d (vectors of lanes).
struct Segment {
  std::function<Expr(const Expr& g)> top, total;
  std::function<Expr(const Expr& g, const Expr& d)> values;
};

// Segments merged one after the other into the output's columns of a row and KV head.
class Merger {
 public:
  Merger(const Buffer& out, const Heads& heads)
      : out_(out),
        h_(heads),
        lanes_(lanes_for(heads.dim)),
        top_(local("run_top", {heads.group()})),
        total_(local("run_total", {heads.group()})) {}

  Stmt allocate(const Stmt& body) const { return ir::allocate(top_, ir::allocate(total_, body)); }

  // `segment` number `s` of row m.
  Stmt add(const Expr& m, const Expr& head, const Expr& s, const Segment& segment) const {
    const Stmt first = heads([&](const Expr& g) {
      return ir::seq({ir::store(top_, {g}, segment.top(g)), ir::store(total_, {g}, segment.total(g)),
                      columns([&](const Expr& d) { return put(m, head, g, d, segment.values(g, d)); })});
    });
    const Stmt more = heads([&](const Expr& g) {
      const Var fresh = ir::var("fresh", DType::f32()), old = ir::var("old", DType::f32()),
                added = ir::var("added", DType::f32());
      const Expr top = ir::load(top_, {g});
      const Stmt update =
          ir::seq({ir::store(total_, {g}, ir::load(total_, {g}) * Expr(old) + segment.total(g) * Expr(added)),
                   columns([&](const Expr& d) {
                     return put(m, head, g, d,
                                at(m, head, g, d) * splat(old, lanes_) + segment.values(g, d) * splat(added, lanes_));
                   }),
                   ir::store(top_, {g}, fresh)});
      return ir::let(fresh, ir::max(top, segment.top(g)),
                     ir::let(old, ir::exp(top - fresh), ir::let(added, ir::exp(segment.top(g) - fresh), update)));
    });
    return ir::if_(ir::eq(s, Expr(0)), first, more);
  }

  Stmt finish(const Expr& m, const Expr& head) const {
    return heads([&](const Expr& g) {
      const Var inverse = ir::var("inverse", DType::f32());
      return ir::let(inverse, ir::f32(1) / ir::load(total_, {g}), columns([&](const Expr& d) {
                       return put(m, head, g, d, at(m, head, g, d) * splat(inverse, lanes_));
                     }));
    });
  }

 private:
  Stmt heads(const std::function<Stmt(Expr)>& body) const { return each("g", h_.group(), body); }
  Stmt columns(const std::function<Stmt(Expr)>& body) const {
    return each("d", h_.dim / lanes_, [&](const Expr& d) { return body(d * lanes_); });
  }
  std::vector<Expr> place(const Expr& m, const Expr& head, const Expr& g, const Expr& d) const {
    return {m, vec((head * h_.group() + g) * h_.dim + d, lanes_)};
  }
  Expr at(const Expr& m, const Expr& head, const Expr& g, const Expr& d) const {
    return ir::load(out_, place(m, head, g, d));
  }
  Stmt put(const Expr& m, const Expr& head, const Expr& g, const Expr& d, const Expr& x) const {
    return ir::store(out_, place(m, head, g, d), x);
  }

  const Buffer out_;
  const Heads h_;
  const int lanes_;
  const Buffer top_, total_;
};

// A part, one row of the buffer between `attention_parts` and `attention_combine`: of all heads the values, then the
// tops, then the totals.
struct PartColumns {
  Heads h;
  Expr values(const Expr& head, const Expr& d) const { return head * h.dim + d; }
  Expr top(const Expr& head) const { return Expr(h.heads * h.dim) + head; }
  Expr total(const Expr& head) const { return Expr(h.heads * (h.dim + 1)) + head; }
  int64_t width() const { return quant::round_up(h.heads * (h.dim + 2), quant::kLanes); }
};

class AttentionEmitter {
 public:
  explicit AttentionEmitter(const EmitContext& c)
      : c_(c),
        h_(heads_of(*c.node)),
        lanes_(lanes_for(h_.dim)),
        g_(h_.group()),
        tile_(tile_of(g_, c.register_sums)),
        strips_(strips_of(*c.node)),
        scale_(1.0 / std::sqrt(static_cast<double>(h_.dim))),
        scores_(local("scores", {strips_.pages, g_, kPage})),
        top_(local("top", {g_})),
        total_(local("total", {g_, kPage})),
        acc_(local("acc", {g_, h_.dim})) {}

  // All segments of a row and KV head, one after the other.
  Stmt whole() const {
    const Merger merger(c_.out[0], h_);
    return ir::for_(
        "mh", 0, c_.syms[static_cast<int>(c_.rows)] * h_.kv_heads,
        [&](const Var& mh) {
          const Expr m = ir::floordiv(mh, h_.kv_heads), head = ir::floormod(mh, h_.kv_heads);
          return with_row(m, [&](const Expr& pos, const Expr& table) {
            const Expr segments = ir::floordiv(pos, strips_.segment_tokens()) + 1;
            const Stmt all = ir::for_("segment", 0, segments, [&](const Var& s) {
              return ir::seq({segment(m, head, pos, table, s), merger.add(m, head, s, state())});
            });
            return merger.allocate(ir::seq({all, merger.finish(m, head)}));
          });
        },
        ForKind::kParallel);
  }

  // One segment of a row and KV head at a time, into parts [T * S, width]: S is as many as the longest row has, and
  // what shorter rows do not have is left out.
  Stmt parts() const {
    const Expr all = c_.syms[static_cast<int>(Sym::kParts)];
    const Expr per_row = ir::floordiv(all, c_.syms[static_cast<int>(Sym::kTokens)]);
    return ir::for_(
        "part", 0, all * h_.kv_heads,
        [&](const Var& i) {
          const Expr s = ir::floormod(i, per_row), mh = ir::floordiv(i, per_row);
          const Expr m = ir::floordiv(mh, h_.kv_heads), head = ir::floormod(mh, h_.kv_heads);
          return with_row(m, [&](const Expr& pos, const Expr& table) {
            return ir::if_(s * strips_.segment_tokens() <= pos,
                           ir::seq({segment(m, head, pos, table, s), keep(m * per_row + s, head)}));
          });
        },
        ForKind::kParallel);
  }

 private:
  // The row's position and the beginning of its page table; local memory.
  Stmt with_row(const Expr& m, const std::function<Stmt(const Expr& pos, const Expr& table)>& body) const {
    const Var pos = ir::var("pos"), table = ir::var("table");
    Stmt all = body(pos, table);
    for (const Buffer& b : {acc_, total_, top_, scores_}) all = ir::allocate(b, all);
    return ir::let(pos, index(c_.in[1], m), ir::let(table, index(c_.in[2], m), all));
  }

  // Segment s of row m into acc_, total_ and top_.
  Stmt segment(const Expr& m, const Expr& head, const Expr& pos, const Expr& table, const Expr& s) const {
    const int64_t n = strips_.pages;
    const Expr last = ir::floordiv(pos, kPage);  // the row's last page
    const Expr begin = s * strips_.segment_pages();
    const Expr pages_here = ir::min(last + 1 - begin, Expr(strips_.segment_pages()));
    const Expr full = ir::min(ir::floordiv(pos + 1, kPage * n) - s * strips_.count, Expr(strips_.count));
    std::vector<Stmt> loops = {init()};
    if (n > 1) {
      loops.push_back(ir::for_("strip", 0, full, [&](const Var& i) {
        return pages(m, head, table, last, begin + Expr(i) * n, n, nullptr);
      }));
    }
    const Expr done = n > 1 ? full * n : Expr(0);
    loops.push_back(ir::for_("p", 0, pages_here - done, [&](const Var& p) {
      const Expr first = begin + done + Expr(p);
      const Expr inside = ir::ramp(first * kPage, 1, kPage) <= splat(pos, kPage);
      return pages(m, head, table, last, first, 1, &inside);
    }));
    return ir::seq(std::move(loops));
  }

  Segment state() const {
    return {[&](const Expr& g) { return ir::load(top_, {g}); },
            [&](const Expr& g) { return ir::vector_reduce(ir::ReduceOp::kAdd, total_vec(g)); },
            [&](const Expr& g, const Expr& d) { return ir::load(acc_, {g, vec(d, lanes_)}); }};
  }

  Stmt keep(const Expr& row, const Expr& head) const {
    const PartColumns at{h_};
    const Segment found = state();
    return heads([&](const Expr& g) {
      const Expr query = head * g_ + g;
      const auto put = [&](const Expr& column, const Expr& x) { return ir::store(c_.out[0], {row, column}, x); };
      return ir::seq(
          {put(at.top(query), found.top(g)), put(at.total(query), found.total(g)),
           columns([&](const Expr& d) { return put(vec(at.values(query, d), lanes_), found.values(g, d)); })});
    });
  }

  static DType page_vec() { return DType::f32().with_lanes(kPage); }
  Stmt heads(const std::function<Stmt(Expr)>& body) const { return each("g", g_, body); }
  // A tile's heads from g0 on.
  Stmt heads_from(int64_t g0, const std::function<Stmt(Expr)>& body) const {
    return each("g", std::min(tile_.heads, g_ - g0), [&](const Expr& g) { return body(g + g0); });
  }
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
    std::vector<Stmt> clear;
    for (size_t t = 0; t < page.size(); ++t) {
      const Expr at = static_cast<int64_t>(t);
      clear.push_back(heads([&](const Expr& g) { return set_scores(at, g, ir::zero(page_vec())); }));
    }
    const auto n = static_cast<int64_t>(page.size());
    std::vector<Stmt> loops = std::move(clear);
    for (int64_t t0 = 0; t0 < n; t0 += tile_.others) {
      for (int64_t g0 = 0; g0 < g_; g0 += tile_.heads) {
        loops.push_back(ir::for_("d", 0, h_.dim, [&](const Var& d) {
          std::vector<Stmt> add;
          for (int64_t t = t0; t < std::min(n, t0 + tile_.others); ++t) {
            const auto i = static_cast<size_t>(t);
            if (g0 == 0) add.push_back(ir::prefetch(c_.in[4], {next[i], head, d, 0}, kSecondLevel));
            const Expr k = ir::cast(page_vec(), ir::load(c_.in[4], {page[i], head, d, ir::ramp(0, 1, kPage)}));
            add.push_back(heads_from(g0, [&](const Expr& g) {
              Expr q = ir::load(c_.in[0], {m, (head * g_ + g) * h_.dim + d});
              return set_scores(t, g, ir::fma(splat(q, kPage), k, score_vec(t, g)));
            }));
          }
          return ir::seq(std::move(add));
        }));
      }
    }
    return ir::seq(std::move(loops));
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
    const int64_t line = 64 / c_.in[5]->dtype.bytes(), all = h_.dim / lanes_;
    std::vector<Stmt> loops;
    for (int64_t d0 = 0; d0 < all; d0 += tile_.others) {
      for (int64_t g0 = 0; g0 < g_; g0 += tile_.heads) {
        const auto add = [&](size_t t, const Expr& j) {
          return each("d", std::min(tile_.others, all - d0), [&](const Expr& i) {
            const Expr d = (i + d0) * lanes_;
            Expr v = ir::cast(DType::f32().with_lanes(lanes_), ir::load(c_.in[5], {page[t], head, j, vec(d, lanes_)}));
            return heads_from(g0, [&](const Expr& g) {
              Expr p = splat(ir::load(scores_, {static_cast<int64_t>(t), g, j}), lanes_);
              return ir::store(acc_, {g, vec(d, lanes_)}, ir::fma(p, v, ir::load(acc_, {g, vec(d, lanes_)})));
            });
          });
        };
        // Each line is asked for while its first columns are read.
        const int64_t first = quant::round_up(d0 * lanes_, line) / line;
        const int64_t last = quant::round_up(std::min(all, d0 + tile_.others) * lanes_, line) / line;
        const auto hints = [&](size_t t, const Expr& j) {
          return each("c", last - first, [&](const Expr& x) {
            return ir::prefetch(c_.in[5], {next[t], head, j, (x + first) * line}, kSecondLevel);
          });
        };
        for (size_t t = 0; t < page.size(); ++t) {
          loops.push_back(ir::for_("j", 0, kPage, [&](const Var& j) {
            return g0 == 0 && first < last ? ir::seq({hints(t, j), add(t, j)}) : add(t, j);
          }));
        }
      }
    }
    return ir::seq(std::move(loops));
  }

  // Sums of 16 floats that stay in registers while keys or values pass: of so many heads and pages (or columns).
  struct Tile {
    int64_t heads, others;
  };
  static Tile tile_of(int64_t group, int64_t sums) {
    const int64_t heads = std::min(group, sums);
    return {heads, sums / heads};
  }

  const EmitContext& c_;
  const Heads h_;
  const int lanes_;
  const int64_t g_;
  const Tile tile_;
  const Strips strips_;
  const double scale_;
  const Buffer scores_, top_, total_, acc_;
};

// In parts, positions; out o.
Stmt emit_combine(const EmitContext& c) {
  const Heads h = heads_of(*c.node);
  const Strips strips = strips_of(*c.node);
  const PartColumns at{h};
  const int lanes = lanes_for(h.dim);
  const Merger merger(c.out[0], h);
  const Expr rows = c.syms[static_cast<int>(Sym::kTokens)];
  const Expr per_row = ir::floordiv(c.syms[static_cast<int>(Sym::kParts)], rows);
  return ir::for_(
      "mh", 0, rows * h.kv_heads,
      [&](const Var& mh) {
        const Expr m = ir::floordiv(mh, h.kv_heads), head = ir::floormod(mh, h.kv_heads);
        const Expr segments = ir::floordiv(index(c.in[1], m), strips.segment_tokens()) + 1;
        const Stmt all = ir::for_("segment", 0, segments, [&](const Var& s) {
          const auto part = [&](const Expr& column) { return ir::load(c.in[0], {m * per_row + s, column}); };
          const auto query = [&](const Expr& g) { return head * h.group() + g; };
          const Segment segment{[&](const Expr& g) { return part(at.top(query(g))); },
                                [&](const Expr& g) { return part(at.total(query(g))); },
                                [&](const Expr& g, const Expr& d) { return part(vec(at.values(query(g), d), lanes)); }};
          return merger.add(m, head, s, segment);
        });
        return merger.allocate(ir::seq({all, merger.finish(m, head)}));
      },
      ForKind::kParallel);
}

int64_t no_ops(const Node&) { return 0; }

}  // namespace

int64_t segment_tokens(const Node& node) { return strips_of(node).segment_tokens(); }

OpDef attention() {
  return {"attention", OpKind::kExplicit,
          [](const Node&, const std::vector<TensorType>& in) { return std::vector<TensorType>{in[0]}; },
          [](const EmitContext& c) { return AttentionEmitter(c).whole(); }, no_ops};
}

OpDef attention_parts() {
  return {"attention_parts", OpKind::kExplicit,
          [](const Node& node, const std::vector<TensorType>&) {
            return std::vector<TensorType>{{DType::f32(), {Dim::of(Sym::kParts), PartColumns{heads_of(node)}.width()}}};
          },
          [](const EmitContext& c) { return AttentionEmitter(c).parts(); }, no_ops};
}

OpDef attention_combine() {
  return {"attention_combine", OpKind::kExplicit,
          [](const Node& node, const std::vector<TensorType>& in) {
            const Heads h = heads_of(node);
            return std::vector<TensorType>{
                {DType::f32(), {in[1].shape[0], quant::round_up(h.heads * h.dim, quant::kLanes)}}};
          },
          emit_combine, no_ops};
}

}  // namespace mlc::graph::ops
