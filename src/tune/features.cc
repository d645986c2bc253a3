#include "tune/features.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "arith/simplify.h"
#include "ir/visit.h"

namespace mlc::tune {
namespace {

class Counter {
 public:
  Counter(const ir::PrimFunc& f, int64_t rows) {
    for (const ir::Var& v : f.sizes) sizes_[v] = ir::Expr(rows);
    for (const ir::Buffer& b : f.buffers) parameters_[b->name] = bytes_of(b);
    walk(f.body, Around{});
    std::map<std::string, double> values = sums_;
    values["rows"] = static_cast<double>(rows);
    for (const auto& [name, bytes] : parameters_) {
      if (read_.count(name)) values["parameter_bytes"] += bytes;
    }
    const double work = values["float_operations"] + values["integer_operations"] + values["dot_operations"];
    for (const char* name : kFeatureNames) features_.push_back(static_cast<float>(std::log2(1 + values[name])));
    const auto at = std::find(kFeatureNames.begin(), kFeatureNames.end(), std::string_view("operations_per_byte"));
    features_[static_cast<size_t>(at - kFeatureNames.begin())] =
        static_cast<float>(work / std::max(1.0, values["bytes_from_memory"]));
  }
  std::vector<float> take() { return std::move(features_); }

 private:
  // The loops around a statement.
  struct Around {
    double executed = 1, unrolled = 1, serial = 1;
  };

  double extent_of(const ir::Expr& e) const {
    const ir::Expr value = arith::simplify(ir::substitute(e, sizes_));
    const int64_t* n = ir::as_const_int(value);
    return n == nullptr ? 1 : static_cast<double>(std::max<int64_t>(0, *n));
  }
  double bytes_of(const ir::Buffer& b) const {
    auto bytes = static_cast<double>(b->dtype.bytes());
    for (const ir::Expr& d : b->shape) bytes *= extent_of(d);
    return bytes;
  }
  void raise(const char* name, double value) { sums_[name] = std::max(sums_[name], value); }

  void walk_loop(const ir::For& f, Around around) {
    const double n = extent_of(f.extent);
    around.executed *= n;
    const bool parallel = f.kind == ir::ForKind::kParallel;
    if (parallel) raise("parallel_extent", n);
    if (f.kind == ir::ForKind::kVectorized) raise("vector_lanes", n);
    if (f.kind == ir::ForKind::kUnrolled) around.unrolled *= n;
    if (f.kind == ir::ForKind::kSerial) around.serial *= n;
    for (const auto& [key, value] : f.annotations) {
      if (key.rfind("prefetch_", 0) != 0 || !std::holds_alternative<int64_t>(value)) continue;
      sums_["prefetched_buffers"] += 1;
      raise(parallel ? "prefetch_outer" : "prefetch_inner", static_cast<double>(std::get<int64_t>(value)));
    }
    walk(f.body, around);
  }

  void walk(const ir::Stmt& s, const Around& around) {
    if (!s) return;
    if (const auto* f = ir::as<ir::For>(s)) {
      walk_loop(*f, around);
    } else if (const auto* q = ir::as<ir::Seq>(s)) {
      for (const ir::Stmt& x : q->stmts) walk(x, around);
    } else if (const auto* a = ir::as<ir::Allocate>(s)) {
      walk(a->body, around);
    } else if (const auto* b = ir::as<ir::Block>(s)) {
      walk(b->body, around);
    } else if (const auto* l = ir::as<ir::Let>(s)) {
      count(l->value, around);
      walk(l->body, around);
    } else if (const auto* i = ir::as<ir::If>(s)) {
      walk(i->then_case, around);
      walk(i->else_case, around);
    } else if (const auto* st = ir::as<ir::Store>(s)) {
      raise("unrolled_copies", around.unrolled);
      raise("serial_iterations", around.serial);
      sums_["code_stores"] += around.unrolled;
      sums_["stores"] += around.executed;
      count(st->value, around);
    }
  }

  void count_load(const ir::Buffer& b, const Around& around) {
    const auto bytes = static_cast<double>(b->dtype.bytes());
    const bool parameter = parameters_.count(b->name) > 0;
    sums_["loads"] += around.executed;
    sums_[parameter ? "bytes_from_memory" : "bytes_from_local"] += around.executed * bytes;
    if (!parameter && read_.count(b->name) == 0) sums_["local_bytes"] += around.unrolled * bytes;
    read_.insert(b->name);
  }

  void count(const ir::Expr& e, const Around& around) {
    // Indices are not entered: address arithmetic is the code generator's business.
    struct Operations : ir::Visitor {
      Operations(Counter& c, const Around& a) : counter(c), around(a) {}
      void visit(const ir::Expr& x) override {
        if (!x) return;
        if (const auto* load = ir::as<ir::Load>(x)) return counter.count_load(load->buffer, around);
        if (const auto* load = ir::as<ir::LoadBits>(x)) return counter.count_load(load->buffer, around);
        if (const auto* call = ir::as<ir::Call>(x); call != nullptr && call->intrinsic.rfind("dot", 0) == 0) {
          counter.sums_["dot_operations"] += around.executed;
        } else if (call != nullptr || ir::as<ir::Binary>(x) != nullptr || ir::as<ir::Unary>(x) != nullptr) {
          counter.sums_[x.dtype().is_float() ? "float_operations" : "integer_operations"] += around.executed;
        }
        Visitor::visit(x);
      }
      using Visitor::visit;
      Counter& counter;
      const Around& around;
    };
    Operations operations(*this, around);
    operations.visit(e);
  }

  ir::VarMap sizes_;
  std::map<std::string, double> parameters_, sums_;
  std::set<std::string> read_;
  std::vector<float> features_;
};

}  // namespace

std::vector<float> features_of(const ir::PrimFunc& scheduled, int64_t rows) { return Counter(scheduled, rows).take(); }

}  // namespace mlc::tune
