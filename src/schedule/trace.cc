#include "schedule/trace.h"

#include <cctype>
#include <charconv>
#include <cmath>

namespace mlc::schedule {

using namespace ir;  // NOLINT

// ---- Printing

namespace {

std::string quoted(const std::string& s) {
  std::string out = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

const char* scope_name(Scope s) {
  switch (s) {
    case Scope::kGlobal:
      return "global";
    case Scope::kShared:
      return "shared";
    case Scope::kLocal:
      return "local";
  }
  return "";
}

std::string index_text(const Expr& e, int outer);

std::string binary_text(const Binary& b, int outer) {
  const bool sum = b.op == BinaryOp::kAdd || b.op == BinaryOp::kSub;
  const char* op = "?";
  switch (b.op) {
    case BinaryOp::kAdd:
      op = "+";
      break;
    case BinaryOp::kSub:
      op = "-";
      break;
    case BinaryOp::kMul:
      op = "*";
      break;
    case BinaryOp::kFloorDiv:
      op = "//";
      break;
    case BinaryOp::kFloorMod:
      op = "%";
      break;
    default:
      MLC_UNREACHABLE("an index map holds an operation other than + - * // %");
  }
  const int level = sum ? 1 : 2;
  std::string text = fmt::format("{} {} {}", index_text(b.a, level), op, index_text(b.b, level + 1));
  return level < outer ? "(" + text + ")" : text;
}

std::string index_text(const Expr& e, int outer) {
  if (const VarRef* v = as<VarRef>(e)) return v->var.name();
  if (const int64_t* c = as_const_int(e)) return fmt::format("{}", *c);
  const Binary* b = as<Binary>(e);
  MLC_CHECK(b, "an index map holds something other than variables, constants and + - * // %");
  return binary_text(*b, outer);
}

std::string text(BlockRef b) { return fmt::format("b{}", b.id); }
std::string text(LoopRef l) { return fmt::format("l{}", l.id); }
std::string text(ValueRef v) { return fmt::format("v{}", v.id); }
std::string text(int64_t v) { return fmt::format("{}", v); }
std::string text(double v) { return fmt::format("{}", v); }
std::string text(const std::string& s) { return quoted(s); }
std::string text(Scope s) { return quoted(scope_name(s)); }
std::string text(const IndexMap& m) { return print(m); }
std::string text(const AnnotationValue& v) {
  return std::visit([](const auto& x) { return text(x); }, v);
}
std::string text(const Number& n) {
  return std::visit([](const auto& x) { return text(x); }, n);
}
template <typename T>
std::string text(const std::vector<T>& list) {
  std::string out = "[";
  for (size_t i = 0; i < list.size(); ++i) out += (i ? ", " : "") + text(list[i]);
  return out + "]";
}
std::string text(const Ref& r) {
  return std::visit([](const auto& x) { return text(x); }, r);
}

}  // namespace

std::string print(const IndexMap& map) {
  std::string out = "(";
  for (size_t i = 0; i < map.inputs.size(); ++i) out += (i ? ", " : "") + map.inputs[i].name();
  out += ") -> (";
  for (size_t i = 0; i < map.outputs.size(); ++i) out += (i ? ", " : "") + index_text(map.outputs[i], 0);
  return out + ")";
}

std::string print(const Instruction& instruction) {
  return std::visit(
      [](const auto& x) {
        std::string args;
        std::apply([&](const auto&... f) { ((args += (args.empty() ? "" : ", ") + text(f)), ...); }, x.fields(x));
        return fmt::format("{}({})", x.kName, args);
      },
      instruction);
}

std::string print(const Step& step) {
  std::string out;
  for (size_t i = 0; i < step.outputs.size(); ++i) out += (i ? ", " : "") + text(step.outputs[i]);
  return out.empty() ? print(step.instruction) : out + " = " + print(step.instruction);
}

std::string print(const Trace& trace) {
  std::string out;
  for (const Step& s : trace.steps) out += print(s) + "\n";
  return out;
}

// ---- Parsing

namespace {

// Characters of one line; every read_* skips blanks first and reports what it found instead.
class Reader {
 public:
  explicit Reader(std::string_view s) : s_(s) {}

  char peek() {
    while (at_ < s_.size() && std::isspace(static_cast<unsigned char>(s_[at_]))) ++at_;
    return at_ < s_.size() ? s_[at_] : '\0';
  }
  bool accept(std::string_view token) {
    peek();
    if (s_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  Result<void> expect(std::string_view token) {
    if (accept(token)) return {};
    return expected(fmt::format("'{}'", token));
  }
  Error expected(const std::string& what) {
    peek();
    std::string_view rest = s_.substr(at_, 20);
    return error("column {}: expected {}, found {}", at_ + 1, what,
                 rest.empty() ? std::string("the end of the line") : fmt::format("'{}'", rest));
  }
  Result<std::string> word() {
    peek();
    size_t end = at_;
    while (end < s_.size() && (std::isalnum(static_cast<unsigned char>(s_[end])) || s_[end] == '_')) ++end;
    if (end == at_) return expected("a name");
    std::string out(s_.substr(at_, end - at_));
    at_ = end;
    return out;
  }
  Result<int64_t> number() {
    peek();
    size_t end = at_;
    if (end < s_.size() && s_[end] == '-') ++end;
    const size_t digits = end;
    while (end < s_.size() && std::isdigit(static_cast<unsigned char>(s_[end]))) ++end;
    if (end == digits || end - digits > 18) return expected("a number");
    const int64_t v = std::stoll(std::string(s_.substr(at_, end - at_)));
    at_ = end;
    return v;
  }
  Result<double> real() {
    peek();
    double v = 0;
    const auto [end, ec] = std::from_chars(s_.data() + at_, s_.data() + s_.size(), v);
    if (ec != std::errc() || !std::isfinite(v)) return expected("a number");
    at_ = static_cast<size_t>(end - s_.data());
    return v;
  }
  Result<std::string> quoted_string() {
    if (!accept("\"")) return expected("a string in quotes");
    std::string out;
    while (at_ < s_.size() && s_[at_] != '"') {
      if (s_[at_] == '\\' && at_ + 1 < s_.size()) ++at_;
      out += s_[at_++];
    }
    if (at_ >= s_.size()) return expected("'\"' at the end of the string");
    ++at_;
    return out;
  }

 private:
  std::string_view s_;
  size_t at_ = 0;
};

Result<void> read(Reader& r, Ref& out) {
  const char kind = r.peek();
  if (kind != 'b' && kind != 'l' && kind != 'v') return r.expected("b<number>, l<number> or v<number>");
  r.accept(std::string_view(&kind, 1));
  MLC_TRY(const int64_t id, r.number());
  if (id < 0 || id > 1'000'000) return r.expected("a number up to 1000000");
  const int number = static_cast<int>(id);
  out = kind == 'b' ? Ref(BlockRef{number}) : kind == 'l' ? Ref(LoopRef{number}) : Ref(ValueRef{number});
  return {};
}
template <typename T>
Result<void> read_ref(Reader& r, T& out, const char* what) {
  Ref ref;
  MLC_TRY_VOID(read(r, ref));
  if (!std::get_if<T>(&ref)) return error("{} is no {}", text(ref), what);
  out = std::get<T>(ref);
  return {};
}
Result<void> read(Reader& r, BlockRef& out) { return read_ref(r, out, "block"); }
Result<void> read(Reader& r, LoopRef& out) { return read_ref(r, out, "loop"); }
Result<void> read(Reader& r, double& out) {
  MLC_TRY(out, r.real());
  return {};
}
Result<void> read(Reader& r, Number& out) {
  if (r.peek() == 'v') {
    Ref ref;
    MLC_TRY_VOID(read(r, ref));
    out = std::get<ValueRef>(ref);
  } else {
    MLC_TRY(out, r.number());
  }
  return {};
}
Result<void> read(Reader& r, int64_t& out) {
  MLC_TRY(out, r.number());
  return {};
}
Result<void> read(Reader& r, std::string& out) {
  MLC_TRY(out, r.quoted_string());
  return {};
}
Result<void> read(Reader& r, Scope& out) {
  MLC_TRY(const std::string name, r.quoted_string());
  for (Scope s : {Scope::kGlobal, Scope::kShared, Scope::kLocal}) {
    if (name == scope_name(s)) {
      out = s;
      return {};
    }
  }
  return error("\"{}\" is no scope; expected \"global\", \"shared\" or \"local\"", name);
}
Result<void> read(Reader& r, AnnotationValue& out) {
  if (r.peek() == '"') {
    MLC_TRY(out, r.quoted_string());
  } else {
    MLC_TRY(out, r.number());
  }
  return {};
}
template <typename T>
Result<void> read(Reader& r, std::vector<T>& out) {
  MLC_TRY_VOID(r.expect("["));
  out.clear();
  if (r.accept("]")) return {};
  do {
    T item{};
    MLC_TRY_VOID(read(r, item));
    out.push_back(std::move(item));
  } while (r.accept(","));
  return r.expect("]");
}

// index := sum;  sum := product (('+'|'-') product)*;  product := atom (('*'|'//'|'%') atom)*
class IndexParser {
 public:
  IndexParser(Reader& r, const std::vector<Var>& vars) : r_(r), vars_(vars) {}
  Result<Expr> sum(int depth = 0) {
    MLC_TRY(Expr e, product(depth));
    while (true) {
      const bool add = r_.accept("+"), sub = !add && r_.accept("-");
      if (!add && !sub) return e;
      MLC_TRY(Expr b, product(depth));
      e = add ? e + b : e - b;
    }
  }

 private:
  Reader& r_;
  const std::vector<Var>& vars_;

  Result<Expr> product(int depth) {
    MLC_TRY(Expr e, atom(depth));
    while (true) {
      if (r_.accept("*")) {
        MLC_TRY(Expr b, atom(depth));
        e = e * b;
      } else if (r_.accept("//")) {
        MLC_TRY(Expr b, atom(depth));
        e = floordiv(e, b);
      } else if (r_.accept("%")) {
        MLC_TRY(Expr b, atom(depth));
        e = floormod(e, b);
      } else {
        return e;
      }
    }
  }
  Result<Expr> atom(int depth) {
    if (depth > 100) return r_.expected("less nesting");
    if (r_.accept("(")) {
      MLC_TRY(Expr e, sum(depth + 1));
      MLC_TRY_VOID(r_.expect(")"));
      return e;
    }
    if (std::isdigit(static_cast<unsigned char>(r_.peek())) || r_.peek() == '-') {
      MLC_TRY(const int64_t v, r_.number());
      return Expr(v);
    }
    MLC_TRY(const std::string name, r_.word());
    for (const Var& v : vars_) {
      if (v.name() == name) return Expr(v);
    }
    return error("{} is no input of the index map", name);
  }
};

Result<void> read(Reader& r, IndexMap& out) {
  out = {};
  MLC_TRY_VOID(r.expect("("));
  while (!r.accept(")")) {
    MLC_TRY(std::string name, r.word());
    out.inputs.push_back(var(std::move(name)));
    if (!r.accept(",") && r.peek() != ')') return r.expected("',' or ')'");
  }
  MLC_TRY_VOID(r.expect("->"));
  MLC_TRY_VOID(r.expect("("));
  IndexParser parser(r, out.inputs);
  while (!r.accept(")")) {
    MLC_TRY(Expr e, parser.sum());
    out.outputs.push_back(e);
    if (!r.accept(",") && r.peek() != ')') return r.expected("',' or ')'");
  }
  return {};
}

template <typename T>
Result<Instruction> read_instruction(Reader& r) {
  T x{};
  Result<void> ok;
  bool first = true;
  std::apply(
      [&](auto&... field) {
        auto one = [&](auto& f) {
          if (!ok) return;
          if (!first) ok = r.expect(",");
          first = false;
          if (ok) ok = read(r, f);
        };
        (one(field), ...);
      },
      T::fields(x));
  if (!ok) return std::move(ok).error();
  MLC_TRY_VOID(r.expect(")"));
  return Instruction(std::move(x));
}

// Tries the kinds in turn by name.
template <size_t I = 0>
Result<Instruction> read_named(Reader& r, const std::string& name) {
  if constexpr (I < std::variant_size_v<Instruction>) {
    using T = std::variant_alternative_t<I, Instruction>;
    if (name == T::kName) return read_instruction<T>(r);
    return read_named<I + 1>(r, name);
  } else {
    return error("there is no instruction named {}", name);
  }
}

Result<Step> read_step(std::string_view line) {
  Reader r(line);
  std::vector<Ref> outputs;
  if (line.find('=') != std::string_view::npos && line.find('=') < line.find('(')) {
    do {
      Ref ref;
      MLC_TRY_VOID(read(r, ref));
      outputs.push_back(ref);
    } while (r.accept(","));
    MLC_TRY_VOID(r.expect("="));
  }
  MLC_TRY(const std::string name, r.word());
  MLC_TRY_VOID(r.expect("("));
  MLC_TRY(Instruction instruction, read_named(r, name));
  if (r.peek() != '\0') return r.expected("the end of the line");
  return Step{std::move(instruction), std::move(outputs)};
}

}  // namespace

Result<IndexMap> parse_index_map(std::string_view source) {
  Reader r(source);
  IndexMap map;
  MLC_TRY_VOID(read(r, map));
  if (r.peek() != '\0') return r.expected("the end of the index map");
  return map;
}

Result<Trace> parse_trace(std::string_view source) {
  Trace trace;
  size_t number = 0;
  while (!source.empty()) {
    ++number;
    const size_t end = source.find('\n');
    std::string_view line = source.substr(0, end);
    source = end == std::string_view::npos ? std::string_view() : source.substr(end + 1);
    const size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos || line[first] == '#') continue;
    auto step = read_step(line);
    if (!step) return std::move(step).error().context("trace line {}", number);
    trace.steps.push_back(std::move(*step));
  }
  return trace;
}

// ---- References

namespace {

struct RefMapper {
  const std::function<Result<Ref>(const Ref&)>& f;
  Result<void>& ok;

  template <typename T>
  void operator()(T&) const {}  // no reference
  template <typename T>
  void map(T& x) const {
    if (!ok) return;
    auto r = f(Ref(x));
    if (!r) {
      ok = std::move(r).error();
    } else {
      x = std::get<T>(*r);
    }
  }
  void operator()(BlockRef& b) const { map(b); }
  void operator()(LoopRef& l) const { map(l); }
  void operator()(std::vector<LoopRef>& ls) const {
    for (LoopRef& l : ls) map(l);
  }
  void operator()(std::vector<Number>& numbers) const {
    for (Number& n : numbers) {
      if (ValueRef* v = std::get_if<ValueRef>(&n)) map(*v);
    }
  }
};

}  // namespace

Instruction map_refs(const Instruction& instruction, const std::function<Result<Ref>(const Ref&)>& f,
                     Result<void>* ok) {
  Instruction out = instruction;
  RefMapper mapper{f, *ok};
  std::visit([&](auto& x) { std::apply([&](auto&... field) { (mapper(field), ...); }, x.fields(x)); }, out);
  return out;
}

}  // namespace mlc::schedule
