#include "lower/insert_prefetch.h"

#include <algorithm>
#include <cstring>

#include "arith/simplify.h"
#include "ir/loop_hints.h"
#include "ir/visit.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

constexpr int kSecondLevel = 2;
constexpr int64_t kLineBytes = 64;

struct Wish {
  std::string buffer;
  Var loop;
  int64_t ahead;
};

Expr first_lane(const Expr& e) {
  if (const auto* r = as<Ramp>(e)) return r->base;
  if (const auto* b = as<Broadcast>(e)) return b->a;
  return e;
}

class Inserter : public Mutator {
 public:
  explicit Inserter(bool many_rows) : many_rows_(many_rows) {}

  using Mutator::mutate;
  Stmt mutate(const Stmt& s) override {
    const For* f = as<For>(s);
    if (!f) return Mutator::mutate(s);
    const bool kept = f->annotations.count(kKeepLoopKey) > 0;
    const size_t wishes = wishes_.size();
    Lines before;
    if (!kept) std::swap(before, seen_);
    For loop = *f;
    for (const auto& [key, value] : f->annotations) {
      if (key.rfind(kPrefetchKey, 0) != 0) continue;
      wishes_.push_back({key.substr(std::strlen(kPrefetchKey)), f->var, std::get<int64_t>(value)});
      loop.annotations.erase(key);
    }
    loop.body = kept_loops_only(f->body) ? seq({hints(f->body, kept ? f : nullptr), mutate(f->body)}) : mutate(f->body);
    wishes_.resize(wishes);
    if (!kept) std::swap(before, seen_);
    return many_rows_ && f->kind == ForKind::kSerial && asks_the_same(loop) ? once(std::move(loop), f->body)
                                                                            : make_stmt(std::move(loop));
  }

 private:
  struct Line {
    Buffer buffer;
    std::vector<Expr> at;
    bool operator==(const Line& o) const {
      return buffer == o.buffer &&
             std::equal(at.begin(), at.end(), o.at.begin(), o.at.end(), [](auto& a, auto& b) { return equal(a, b); });
    }
  };
  using Lines = std::vector<Line>;

  // Whether every turn of the loop has the same hints.
  static bool asks_the_same(const For& loop) {
    bool any = false, same = true;
    for_each_stmt(loop.body, [&](const Stmt& x) {
      const auto* p = as<Prefetch>(x);
      if (!p) return;
      any = true;
      for (const Expr& i : p->indices) same = same && !uses_var(i, loop.var);
    });
    return any && same;
  }

  // The first turn of the loop as it is, the others with `body` and no hints.
  Stmt once(For loop, const Stmt& body) {
    std::vector<Wish> none;
    std::swap(none, wishes_);
    For rest = loop;
    rest.body = mutate(body);
    std::swap(none, wishes_);
    const Expr turns = min(loop.extent, Expr(1));
    rest.min = loop.min + turns;
    rest.extent = loop.extent - turns;
    loop.extent = turns;
    return seq({make_stmt(std::move(loop)), refresh(make_stmt(std::move(rest)))});
  }

  // Whether the body has no loop but kept ones, which are a few steps of its own work.
  static bool kept_loops_only(const Stmt& body) {
    bool only = true;
    for_each_stmt(body, [&](const Stmt& x) {
      const For* f = as<For>(x);
      only = only && (!f || f->annotations.count(kKeepLoopKey) > 0);
    });
    return only;
  }

  // The cache line at these indices, if rows of the buffer are whole lines; the same for all kept loops with its range.
  Line line(const Buffer& buffer, std::vector<Expr> at, const For* kept) const {
    const int64_t bytes = buffer->dtype.bytes();
    const int64_t* row = as_const_int(buffer->shape.back());
    if (row && *row * bytes % kLineBytes == 0) {
      at.back() = arith::simplify(floordiv(at.back(), kLineBytes / bytes));
    }
    if (kept) {
      for (Expr& i : at) i = substitute(i, {{kept->var, Expr(turn_)}});
      at.push_back(kept->min);
      at.push_back(kept->extent);
    }
    return {buffer, std::move(at)};
  }

  // Hints for what the body reads outside its loops, once per cache line.
  Stmt hints(const Stmt& body, const For* kept) {
    struct Loads : Visitor {
      using Visitor::visit;
      void visit(const Stmt& s) override {
        if (!as<For>(s)) Visitor::visit(s);
      }
      void visit(const Expr& e) override {
        if (const Load* load = as<Load>(e)) found.push_back(load);
        Visitor::visit(e);
      }
      std::vector<const Load*> found;
    } loads;
    loads.visit(body);
    std::vector<Stmt> out;
    for (const Load* load : loads.found) {
      for (const Wish& w : wishes_) {
        if (w.buffer != load->buffer->name) continue;
        std::vector<Expr> at;
        at.reserve(load->indices.size());
        for (const Expr& i : load->indices) {
          at.push_back(arith::simplify(substitute(first_lane(i), {{w.loop, Expr(w.loop) + w.ahead}})));
        }
        Line asked = line(load->buffer, at, kept);
        if (std::find(seen_.begin(), seen_.end(), asked) != seen_.end()) continue;
        out.push_back(prefetch(load->buffer, std::move(at), kSecondLevel));
        seen_.push_back(std::move(asked));
      }
    }
    return seq(std::move(out));
  }

  const bool many_rows_;
  std::vector<Wish> wishes_;
  Lines seen_;              // asked for in this iteration of the loop around, and in kept loops in it
  Var turn_ = var("turn");  // stands for the variable of every kept loop
};

}  // namespace

PrimFunc insert_prefetch(const PrimFunc& f) {
  PrimFunc result = f;
  result.body = Inserter(f.attrs.count(kManyRowsKey) > 0).mutate(f.body);
  return result;
}

}  // namespace mlc::lower
