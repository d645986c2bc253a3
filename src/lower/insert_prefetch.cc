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
  using Mutator::mutate;
  Stmt mutate(const Stmt& s) override {
    const For* f = as<For>(s);
    if (!f) return Mutator::mutate(s);
    const size_t wishes = wishes_.size();
    For loop = *f;
    for (const auto& [key, value] : f->annotations) {
      if (key.rfind(kPrefetchKey, 0) != 0) continue;
      wishes_.push_back({key.substr(std::strlen(kPrefetchKey)), f->var, std::get<int64_t>(value)});
      loop.annotations.erase(key);
    }
    loop.body = kept_loops_only(f->body) ? seq({hints(f->body), mutate(f->body)}) : mutate(f->body);
    wishes_.resize(wishes);
    return make_stmt(std::move(loop));
  }

 private:
  // Whether the body has no loop but kept ones, which are a few steps of its own work.
  static bool kept_loops_only(const Stmt& body) {
    bool only = true;
    for_each_stmt(body, [&](const Stmt& x) {
      const For* f = as<For>(x);
      only = only && (!f || f->annotations.count(kKeepLoopKey) > 0);
    });
    return only;
  }

  // Hints for what the body reads outside its loops.
  Stmt hints(const Stmt& body) const {
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
    std::vector<std::vector<Expr>> seen;
    for (const Load* load : loads.found) {
      for (const Wish& w : wishes_) {
        if (w.buffer != load->buffer->name) continue;
        std::vector<Expr> at;
        at.reserve(load->indices.size());
        for (const Expr& i : load->indices) {
          at.push_back(arith::simplify(substitute(first_lane(i), {{w.loop, Expr(w.loop) + w.ahead}})));
        }
        const auto same = [&](const std::vector<Expr>& other) {
          return std::equal(at.begin(), at.end(), other.begin(), other.end(),
                            [](const Expr& a, const Expr& b) { return equal(a, b); });
        };
        if (std::any_of(seen.begin(), seen.end(), same)) continue;
        out.push_back(prefetch(load->buffer, at, kSecondLevel));
        seen.push_back(std::move(at));
      }
    }
    return seq(std::move(out));
  }

  std::vector<Wish> wishes_;
};

}  // namespace

PrimFunc insert_prefetch(const PrimFunc& f) {
  PrimFunc result = f;
  result.body = Inserter().mutate(f.body);
  return result;
}

}  // namespace mlc::lower
