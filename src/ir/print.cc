#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "ir/text.h"
#include "ir/text_names.h"

namespace mlc::ir {

namespace {

using text::spelling;

std::string quoted(std::string_view s) {
  std::string out = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}
std::string name_or_quoted(std::string_view s) { return text::is_plain_name(s) ? std::string(s) : quoted(s); }

std::string int_text(DType t, int64_t v) {
  if (t.is_bool()) return v ? "true" : "false";
  std::string s = t == DType::u64() ? std::to_string(static_cast<uint64_t>(v)) : std::to_string(v);
  return t == DType::i64() ? s : s + t.str();
}
std::string float_text(DType t, double v) {
  if (std::isnan(v)) return t.str() + "(nan)";
  if (std::isinf(v)) return t.str() + (v < 0 ? "(-inf)" : "(inf)");
  // The shortest digits that give the value back; 16-bit types are read as f32.
  return (t.bits == 64 ? fmt::format("{}", v) : fmt::format("{}", static_cast<float>(v))) + t.str();
}

// Gives every binder a name of its own, in the order of printing.
class Names {
 public:
  const std::string& bind(const void* id, const std::string& wish) { return names_[id] = unique(wish); }
  const std::string& use(const void* id, const std::string& wish) {
    auto it = names_.find(id);
    return it != names_.end() ? it->second : bind(id, wish);
  }

 private:
  std::string unique(const std::string& wish) {
    std::string base;
    for (char c : wish) base += text::is_name_char(c) ? c : '_';
    if (base.empty() || !text::is_name_start(base[0])) base = "v" + base;
    if (text::is_reserved(base)) base += "_";
    std::string s = base;
    for (int& n = next_[base]; !taken_.insert(s).second;) s = base + "_" + std::to_string(++n);
    return s;
  }
  std::unordered_map<const void*, std::string> names_;
  std::unordered_map<std::string, int> next_;
  std::unordered_set<std::string> taken_;
};

class Printer {
 public:
  explicit Printer(int indent = 0) : indent_(indent) {}

  std::string expr(const Expr& e, int parent = 0) {
    auto [s, precedence] = parts(e);
    return precedence < parent ? "(" + s + ")" : s;
  }
  void stmt(const Stmt& s);
  void func(const PrimFunc& f);
  std::string take() { return std::move(out_); }

 private:
  Names names_;
  std::string out_;
  int indent_;

  std::pair<std::string, int> parts(const Expr& e);
  std::string list(const std::vector<Expr>& es) {
    std::string s;
    for (const Expr& e : es) s += (s.empty() ? "" : ", ") + expr(e);
    return s;
  }
  std::string buffer(const Buffer& b) { return names_.use(b.get(), b->name); }
  std::string access(const Buffer& b, const std::vector<Expr>& indices, const Expr& predicate = {}) {
    std::string s = buffer(b) + "[" + list(indices);
    if (predicate) s += (indices.empty() ? "where " : " where ") + expr(predicate);
    return s + "]";
  }
  std::string declaration(const Buffer& b) {
    const std::string shape = list(b->shape);
    std::string s = names_.bind(b.get(), b->name) + ": " + b->dtype.str() + "[" + shape + "]";
    if (b->scope != Scope::kGlobal) s += " " + std::string(spelling(b->scope));
    if (b->alignment_bytes != 64) s += " align " + std::to_string(b->alignment_bytes);
    return s;
  }
  std::string attrs(const Annotations& a) {
    if (a.empty()) return "";
    std::string s;
    for (const auto& [key, value] : a) {
      s += s.empty() ? " attrs {" : ", ";
      s += name_or_quoted(key) + " = ";
      s += value.index() == 0 ? std::to_string(std::get<0>(value)) : quoted(std::get<1>(value));
    }
    return s + "}";
  }
  void line(const std::string& s) {
    out_.append(static_cast<size_t>(indent_) * 2, ' ');
    out_ += s;
    out_ += '\n';
  }
  // The lines between braces: a sequence of one is a braced statement itself, so that it reads back as what it is.
  void lines(const Stmt& s) {
    ++indent_;
    const Seq* q = as<Seq>(s);
    if (q && q->stmts.size() != 1) {
      for (const Stmt& c : q->stmts) stmt(c);
    } else {
      stmt(s);
    }
    --indent_;
  }
  void body(const std::string& head, const Stmt& s) {
    line(head + " {");
    lines(s);
    line("}");
  }
  void for_loop(const For& x);
  void block(const Block& b);
  std::string regions(const std::vector<BufferRegion>& rs);
};

std::pair<std::string, int> Printer::parts(const Expr& e) {
  using R = std::pair<std::string, int>;
  constexpr int kAtom = text::kAtomPrecedence;
  if (!e) return {"<null>", kAtom};
  const std::string type = e.dtype().str();
  return match(
      e, [&](const IntImm& x) { return R(int_text(e.dtype(), x.value), kAtom); },
      [&](const FloatImm& x) { return R(float_text(e.dtype(), x.value), kAtom); },
      [&](const VarRef& x) { return R(names_.use(x.var.get(), x.var.name()), kAtom); },
      [&](const Unary& x) {
        // -(3) is the negation, -3 the constant.
        const bool literal = as<IntImm>(x.a) || as<FloatImm>(x.a);
        const std::string a = literal ? "(" + expr(x.a) + ")" : expr(x.a, text::kUnaryPrecedence);
        return R((x.op == UnaryOp::kNot ? "!" : "-") + a, text::kUnaryPrecedence);
      },
      [&](const Binary& x) {
        const text::BinarySpelling& op = spelling(x.op);
        if (op.precedence == 0) return R(std::string(op.symbol) + "(" + list({x.a, x.b}) + ")", kAtom);
        const int left = op.precedence == 1 ? 2 : op.precedence;  // comparisons do not chain
        std::string s = expr(x.a, left) + " " + std::string(op.symbol) + " ";
        return R(s + expr(x.b, op.precedence + 1), op.precedence);
      },
      [&](const Cast& x) { return R("cast<" + type + ">(" + expr(x.a) + ")", kAtom); },
      [&](const Reinterpret& x) { return R("reinterpret<" + type + ">(" + expr(x.a) + ")", kAtom); },
      [&](const Select& x) { return R("select(" + list({x.cond, x.if_true, x.if_false}) + ")", kAtom); },
      [&](const Load& x) { return R(access(x.buffer, x.indices, x.predicate), kAtom); },
      [&](const LoadBits& x) { return R("load_bits<" + type + ">(" + access(x.buffer, x.indices) + ")", kAtom); },
      [&](const Ramp& x) {
        return R("ramp(" + list({x.base, x.stride}) + ", " + std::to_string(e.dtype().lanes) + ")", kAtom);
      },
      [&](const Broadcast& x) {
        return R("broadcast(" + expr(x.a) + ", " + std::to_string(e.dtype().lanes) + ")", kAtom);
      },
      [&](const Shuffle& x) {
        std::string s;
        for (int i : x.indices) s += (s.empty() ? "" : ", ") + std::to_string(i);
        return R("shuffle([" + list(x.vectors) + "], [" + s + "])", kAtom);
      },
      [&](const VectorReduce& x) { return R(std::string(spelling(x.op)) + "(" + expr(x.a) + ")", kAtom); },
      [&](const Call& x) { return R("@" + x.intrinsic + "<" + type + ">(" + list(x.args) + ")", kAtom); });
}

void Printer::for_loop(const For& x) {
  static constexpr const char* kKinds[] = {"", " parallel", " vectorized", " unrolled", " thread "};
  const std::string range = expr(x.min) + " +: " + expr(x.extent);
  std::string head = "for " + names_.bind(x.var.get(), x.var.name()) + " in " + range;
  head += kKinds[static_cast<int>(x.kind)];
  if (x.kind == ForKind::kThread) head += quoted(x.thread);
  body(head + attrs(x.annotations), x.body);
}

std::string Printer::regions(const std::vector<BufferRegion>& rs) {
  std::string s;
  for (const BufferRegion& r : rs) {
    std::string ranges;
    for (const Range& range : r.ranges) {
      ranges += (ranges.empty() ? "" : ", ") + expr(range.min) + " +: " + expr(range.extent);
    }
    s += (s.empty() ? " " : ", ") + buffer(r.buffer) + "[" + ranges + "]";
  }
  return s;
}

void Printer::block(const Block& b) {
  // Extents and bindings are in terms of the outside, so that they print before the variables are bound.
  std::string iters;
  for (const IterVar& it : b.iters) {
    const std::string rest = " in " + expr(it.extent) + " = " + expr(it.binding);
    iters += iters.empty() ? "" : ", ";
    iters += it.kind == IterKind::kSpatial ? "spatial " : "reduce ";
    iters += names_.bind(it.var.get(), it.var.name()) + rest;
  }
  std::string head = "block " + name_or_quoted(b.name) + "(" + iters + ")";
  if (b.predicate) head += " where " + expr(b.predicate);
  line(head + attrs(b.annotations) + " {");
  ++indent_;
  for (const Buffer& a : b.allocs) line("allocs " + declaration(a));
  if (!b.reads.empty()) line("reads" + regions(b.reads));
  if (!b.writes.empty()) line("writes" + regions(b.writes));
  if (b.init) body("init", b.init);
  --indent_;
  lines(b.body);
  line("}");
}

void Printer::stmt(const Stmt& s) {
  if (!s) {
    line("<null>");
    return;
  }
  match(
      s, [&](const For& x) { for_loop(x); },
      [&](const Store& x) { line(access(x.buffer, x.indices, x.predicate) + " = " + expr(x.value)); },
      [&](const If& x) {
        line("if " + expr(x.cond) + " {");
        lines(x.then_case);
        if (x.else_case) {
          line("} else {");
          lines(x.else_case);
        }
        line("}");
      },
      [&](const Seq& x) {
        line("{");
        ++indent_;
        for (const Stmt& c : x.stmts) stmt(c);
        --indent_;
        line("}");
      },
      [&](const Allocate& x) { body("alloc " + declaration(x.buffer), x.body); },
      [&](const Let& x) {
        const std::string value = expr(x.value);
        body("let " + names_.bind(x.var.get(), x.var.name()) + ": " + x.var.dtype().str() + " = " + value, x.body);
      },
      [&](const Block& x) { block(x); }, [&](const Evaluate& x) { line("evaluate " + expr(x.value)); },
      [&](const Assume& x) { line("assume " + expr(x.cond)); },
      [&](const Prefetch& x) {
        line("prefetch " + access(x.buffer, x.indices) + " locality " + std::to_string(x.locality));
      },
      [&](const Barrier& x) { line("barrier " + std::string(spelling(x.scope))); });
}

void Printer::func(const PrimFunc& f) {
  std::string sizes, params;
  for (const Var& v : f.sizes) sizes += (sizes.empty() ? "" : ", ") + names_.bind(v.get(), v.name());
  for (const Buffer& b : f.buffers) params += (params.empty() ? "" : ", ") + declaration(b);
  std::string head = "func " + name_or_quoted(f.name);
  if (!sizes.empty()) head += "<" + sizes + ">";
  head += "(" + params + ")";
  body(head + attrs(f.attrs), f.body);
}

}  // namespace

std::string print(const Expr& e) { return Printer().expr(e); }
std::string print(const Stmt& s, int indent) {
  Printer p(indent);
  p.stmt(s);
  return p.take();
}
std::string print(const PrimFunc& f) {
  Printer p;
  p.func(f);
  return p.take();
}
std::string print(const Module& m) {
  std::string s;
  for (const PrimFunc& f : m.functions) s += (s.empty() ? "" : "\n") + print(f);
  return s;
}

}  // namespace mlc::ir
