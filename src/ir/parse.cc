// Recursive descent over the grammar of docs/ir.md; one class, because expressions, declarations and statements share
// the scopes.
#include <charconv>
#include <cmath>
#include <map>
#include <vector>

#include "ir/lexer.h"
#include "ir/text.h"
#include "ir/text_names.h"
#include "ir/typing.h"

namespace mlc::ir {

namespace {

using text::Token;
using text::TokenKind;

struct SyntaxError {
  Token at;
  std::string message;
};

constexpr int kMaxDepth = 1000;  // nesting of statements and expressions

class Parser {
 public:
  explicit Parser(std::string_view source) : lexer_(source) { advance(); }

  Module module() {
    Module m;
    while (token_.kind != TokenKind::kEnd) m.functions.push_back(func());
    return m;
  }
  const Token& token() const { return token_; }
  const Token& start() const { return start_; }

 private:
  text::Lexer lexer_;
  Token token_;
  Token start_;  // where the current statement or operation began, for typing errors
  std::map<std::string, Var> vars_;
  std::map<std::string, Buffer> buffers_;
  int depth_ = 0;

  // ---- Tokens
  [[noreturn]] void fail(const std::string& message) { throw SyntaxError{token_, message}; }
  [[noreturn]] void expected(const std::string& what) { fail("found " + token_.describe() + ", expected " + what); }
  Token advance() {
    Token t = std::move(token_);
    token_ = lexer_.next();
    return t;
  }
  bool is(std::string_view s) const {
    return (token_.kind == TokenKind::kSymbol || token_.kind == TokenKind::kName) && token_.text == s;
  }
  bool accept(std::string_view s) {
    if (!is(s)) return false;
    advance();
    return true;
  }
  void expect(std::string_view s) {
    if (!accept(s)) expected("'" + std::string(s) + "'");
  }
  std::string new_name() {
    if (token_.kind != TokenKind::kName || text::is_reserved(token_.text)) expected("a name");
    return advance().text;
  }
  std::string name_or_string() {
    if (token_.kind == TokenKind::kString) return advance().text;
    return new_name();
  }
  DType dtype() {
    std::optional<DType> t;
    if (token_.kind == TokenKind::kName) t = DType::parse(token_.text);
    if (!t) expected("a type");
    advance();
    return *t;
  }
  // A bare (i64) integer in [lo, hi].
  int64_t integer(int64_t lo = INT64_MIN, int64_t hi = INT64_MAX) {
    const bool negative = accept("-");
    if (token_.kind != TokenKind::kNumber) expected("an integer");
    start_ = token_;
    Expr e = number(negative);
    const int64_t* v = e.dtype() == DType::i64() ? as_const_int(e) : nullptr;
    if (!v || *v < lo || *v > hi) throw SyntaxError{start_, fmt::format("expected an integer from {} to {}", lo, hi)};
    return *v;
  }

  // ---- Names in scope: binders restore what they hide, so that text may reuse a name.
  template <typename T, typename F>
  auto with(std::map<std::string, T>& scope, const std::string& name, const T& value, F&& f) {
    T before = scope.count(name) ? scope[name] : T();
    scope[name] = value;
    auto result = f();
    if (before) {
      scope[name] = before;
    } else {
      scope.erase(name);
    }
    return result;
  }
  Buffer use_buffer() {
    if (token_.kind != TokenKind::kName) expected("a buffer");
    auto it = buffers_.find(token_.text);
    if (it == buffers_.end()) fail("'" + token_.text + "' is no buffer in scope");
    advance();
    return it->second;
  }

  struct Deeper {
    Parser& p;
    explicit Deeper(Parser& parser) : p(parser) {
      if (++p.depth_ > kMaxDepth) p.fail(fmt::format("nested deeper than {}", kMaxDepth));
    }
    ~Deeper() { --p.depth_; }
  };

  // ---- Expressions
  Expr expr(int min_precedence = 1);
  Expr prefix();
  Expr atom();
  Expr number(bool negative);
  Expr special(const std::string& word);
  Expr named();
  Expr call();
  std::vector<Expr> exprs(std::string_view close) {
    std::vector<Expr> out;
    while (!is(close)) {
      out.push_back(expr());
      if (!accept(",")) break;
    }
    return out;
  }
  struct Access {
    Buffer buffer;
    std::vector<Expr> indices;
    Expr predicate;
  };
  Access access() {
    Access a;
    a.buffer = use_buffer();
    expect("[");
    while (!is("]") && !is("where")) {
      a.indices.push_back(expr());
      if (!accept(",")) break;
    }
    if (accept("where")) a.predicate = expr();
    expect("]");
    return a;
  }
  Access plain_access() {
    Access a = access();
    if (a.predicate) fail("no predicate is allowed here");
    return a;
  }

  // ---- Declarations and statements
  Annotations attrs();
  Buffer declaration();
  PrimFunc func();
  Stmt braced();
  Stmt stmt();
  Stmt for_loop();
  Stmt block();
  Stmt block_body(Block b);
  std::vector<BufferRegion> regions();
};

Expr Parser::expr(int min_precedence) {
  Deeper deeper(*this);
  Expr left = prefix();
  while (token_.kind == TokenKind::kSymbol) {
    const text::BinarySpelling* found = nullptr;
    for (const text::BinarySpelling& b : text::kBinary) {
      if (b.precedence >= min_precedence && b.symbol == token_.text) found = &b;
    }
    if (!found) break;
    const Token op = advance();
    Expr right = expr(found->precedence + 1);
    start_ = op;
    left = binary(found->op, left, right);
    if (found->precedence == 1) break;  // comparisons do not chain
  }
  return left;
}

Expr Parser::prefix() {
  Deeper deeper(*this);
  const Token op = token_;
  if (accept("-")) {
    if (token_.kind == TokenKind::kNumber) return number(true);
    Expr a = prefix();
    start_ = op;
    return unary(UnaryOp::kNeg, a);
  }
  if (accept("!")) {
    Expr a = prefix();
    start_ = op;
    return unary(UnaryOp::kNot, a);
  }
  return atom();
}

Expr Parser::number(bool negative) {
  start_ = token_;
  const std::string digits = advance().text;
  // The type suffix begins at the first letter that is not an exponent.
  size_t split = 0;
  while (split < digits.size()) {
    const char c = digits[split];
    const char after = split + 1 < digits.size() ? digits[split + 1] : '\0';
    const bool exponent = c == 'e' && ((after >= '0' && after <= '9') || after == '-' || after == '+');
    if ((c >= '0' && c <= '9') || c == '.' || exponent) {
      split += exponent ? 2 : 1;
      continue;
    }
    break;
  }
  const std::string value = (negative ? "-" : "") + digits.substr(0, split);
  const std::string suffix = digits.substr(split);
  const std::optional<DType> t = suffix.empty() ? DType::i64() : DType::parse(suffix);
  if (!t || t->lanes != 1 || t->is_bool()) {
    throw SyntaxError{start_, "the number '" + digits + "' does not end in a scalar type"};
  }
  const char* end = value.data() + value.size();
  std::from_chars_result r{};
  Expr out;
  if (t->is_float()) {
    double wide = 0;
    float narrow = 0;
    r = t->bits == 64 ? std::from_chars(value.data(), end, wide) : std::from_chars(value.data(), end, narrow);
    out = fimm(*t, t->bits == 64 ? wide : static_cast<double>(narrow));
  } else if (*t == DType::u64() && !negative) {
    uint64_t v = 0;
    r = std::from_chars(value.data(), end, v);
    out = imm(*t, static_cast<int64_t>(v));
  } else {
    int64_t v = 0;
    r = std::from_chars(value.data(), end, v);
    if (r.ec == std::errc() && wrap_int(*t, v) != v) {
      throw SyntaxError{start_, "the number '" + digits + "' does not fit its type"};
    }
    out = imm(*t, v);
  }
  if (r.ec != std::errc() || r.ptr != end) {
    throw SyntaxError{start_, "'" + digits + "' is no number of type " + t->str()};
  }
  return out;
}

Expr Parser::call() {
  expect("@");
  start_ = token_;
  if (token_.kind != TokenKind::kName) expected("the name of an intrinsic");
  const std::string name = advance().text;
  expect("<");
  const DType t = dtype();
  expect(">");
  expect("(");
  std::vector<Expr> args = exprs(")");
  expect(")");
  return ir::call(t, name, std::move(args));
}

// Words that look like functions.
Expr Parser::special(const std::string& word) {
  const Token at = advance();
  DType t;
  const bool typed = word == "cast" || word == "reinterpret" || word == "load_bits";
  if (typed) {
    expect("<");
    t = dtype();
    expect(">");
  }
  expect("(");
  Expr out;
  if (word == "load_bits") {
    Access a = plain_access();
    start_ = at;
    out = load_bits(t, a.buffer, std::move(a.indices));
  } else if (word == "shuffle") {
    expect("[");
    std::vector<Expr> vectors = exprs("]");
    expect("]");
    expect(",");
    expect("[");
    std::vector<int> lanes;
    while (!is("]")) {
      lanes.push_back(static_cast<int>(integer(0, 1 << 20)));
      if (!accept(",")) break;
    }
    expect("]");
    start_ = at;
    out = shuffle(std::move(vectors), std::move(lanes));
  } else {
    Expr a = expr();
    start_ = at;
    if (word == "cast") {
      out = Expr(std::make_shared<const ExprNode>(ExprNode{t, Cast{a}}));
      if (a.dtype().lanes != t.lanes) throw SyntaxError{at, "a cast cannot change the number of lanes"};
    } else if (word == "reinterpret") {
      reinterpret(t, a);  // checks
      out = Expr(std::make_shared<const ExprNode>(ExprNode{t, Reinterpret{a}}));
    } else if (word == "reduce_add" || word == "reduce_min" || word == "reduce_max") {
      out = vector_reduce(word == "reduce_add"   ? ReduceOp::kAdd
                          : word == "reduce_min" ? ReduceOp::kMin
                                                 : ReduceOp::kMax,
                          a);
    } else {
      expect(",");
      if (word == "broadcast") {
        const int lanes = static_cast<int>(integer(2, 4096));
        start_ = at;
        out = broadcast(a, lanes);
      } else {
        Expr b = expr();
        if (word == "min" || word == "max") {
          start_ = at;
          out = word == "min" ? ir::min(a, b) : ir::max(a, b);
        } else {
          expect(",");
          if (word == "select") {
            Expr c = expr();
            start_ = at;
            out = select(a, b, c);
          } else {
            const int lanes = static_cast<int>(integer(2, 4096));
            start_ = at;
            out = ramp(a, b, lanes);
          }
        }
      }
    }
  }
  expect(")");
  return out;
}

// A variable, a load, a constant that is a word, or a special form.
Expr Parser::named() {
  static constexpr std::string_view kSpecial[] = {"cast",       "reinterpret", "load_bits",  "shuffle",
                                                  "reduce_add", "reduce_min",  "reduce_max", "broadcast",
                                                  "ramp",       "min",         "max",        "select"};
  const std::string word = token_.text;
  if (word == "true" || word == "false") {
    advance();
    return imm(DType::boolean(), word == "true");
  }
  for (std::string_view s : kSpecial) {
    if (s == word) return special(word);
  }
  if (const auto t = DType::parse(word)) {  // f32(inf), f32(-inf), f32(nan)
    const Token at = advance();
    if (!t->is_float() || t->is_vector()) throw SyntaxError{at, "a type in the place of a value"};
    expect("(");
    const bool negative = accept("-");
    const bool nan = is("nan");
    if (!nan && !is("inf")) expected("'inf' or 'nan'");
    advance();
    expect(")");
    return fimm(*t, nan ? std::nan("") : negative ? -INFINITY : INFINITY);
  }
  if (auto v = vars_.find(word); v != vars_.end()) {
    advance();
    return v->second;
  }
  if (!buffers_.count(word)) fail("'" + word + "' is no variable or buffer in scope");
  const Token at = token_;
  Access a = access();
  start_ = at;
  return load(a.buffer, std::move(a.indices), a.predicate);
}

Expr Parser::atom() {
  if (token_.kind == TokenKind::kNumber) return number(false);
  if (token_.kind == TokenKind::kName) return named();
  if (is("@")) return call();
  if (accept("(")) {
    Expr e = expr();
    expect(")");
    return e;
  }
  expected("an expression");
}

Annotations Parser::attrs() {
  Annotations out;
  if (!accept("attrs")) return out;
  expect("{");
  while (!is("}")) {
    const std::string key = name_or_string();
    expect("=");
    if (token_.kind == TokenKind::kString) {
      out[key] = advance().text;
    } else {
      out[key] = integer();
    }
    if (!accept(",")) break;
  }
  expect("}");
  return out;
}

Buffer Parser::declaration() {
  BufferNode n;
  start_ = token_;
  n.name = new_name();
  expect(":");
  n.dtype = dtype();
  if (n.dtype.is_vector()) throw SyntaxError{start_, "a buffer holds scalars"};
  expect("[");
  n.shape = exprs("]");
  expect("]");
  if (token_.kind == TokenKind::kName) {
    if (auto scope = text::parse_scope(token_.text)) {
      n.scope = *scope;
      advance();
    }
  }
  if (accept("align")) n.alignment_bytes = integer(1, 1 << 20);
  buffer(n.name, n.dtype, n.shape, n.scope);  // checks
  return Buffer(std::make_shared<const BufferNode>(std::move(n)));
}

PrimFunc Parser::func() {
  expect("func");
  PrimFunc f;
  f.name = name_or_string();
  vars_.clear();
  buffers_.clear();
  if (accept("<")) {
    do {
      f.sizes.push_back(var(new_name()));
      if (!vars_.emplace(f.sizes.back().name(), f.sizes.back()).second) fail("this size has the name of another one");
    } while (accept(","));
    expect(">");
  }
  expect("(");
  while (!is(")")) {
    f.buffers.push_back(declaration());
    if (!buffers_.emplace(f.buffers.back()->name, f.buffers.back()).second) {
      fail("this buffer has the name of another one");
    }
    if (!accept(",")) break;
  }
  expect(")");
  f.attrs = attrs();
  f.body = braced();
  return f;
}

// "{ … }" as one statement: what it holds if that is one, else a sequence.
Stmt Parser::braced() {
  expect("{");
  std::vector<Stmt> stmts;
  while (!accept("}")) stmts.push_back(stmt());
  return stmts.size() == 1 ? stmts[0] : make_stmt(Seq{std::move(stmts)});
}

Stmt Parser::for_loop() {
  For f;
  f.var = var(new_name());
  expect("in");
  f.min = expr();
  expect("+:");
  f.extent = expr();
  static constexpr std::pair<std::string_view, ForKind> kKinds[] = {{"parallel", ForKind::kParallel},
                                                                    {"vectorized", ForKind::kVectorized},
                                                                    {"unrolled", ForKind::kUnrolled},
                                                                    {"thread", ForKind::kThread}};
  for (const auto& [word, kind] : kKinds) {
    if (!accept(word)) continue;
    f.kind = kind;
    break;
  }
  if (f.kind == ForKind::kThread) {
    if (token_.kind != TokenKind::kString) expected("a thread axis such as \"threadIdx.x\"");
    f.thread = advance().text;
  }
  f.annotations = attrs();
  f.body = with(vars_, f.var.name(), f.var, [&] { return braced(); });
  for_(f.var, f.min, f.extent, f.body);  // checks
  return make_stmt(std::move(f));
}

std::vector<BufferRegion> Parser::regions() {
  std::vector<BufferRegion> out;
  do {
    BufferRegion r;
    r.buffer = use_buffer();
    expect("[");
    while (!is("]")) {
      Expr lo = expr();
      expect("+:");
      r.ranges.push_back({lo, expr()});
      if (!accept(",")) break;
    }
    expect("]");
    if (r.ranges.size() != r.buffer->shape.size()) fail("the region of " + r.buffer->name + " has the wrong rank");
    out.push_back(std::move(r));
  } while (accept(","));
  return out;
}

Stmt Parser::block() {
  Block b;
  b.name = name_or_string();
  expect("(");
  while (!is(")")) {
    IterVar it;
    if (!is("spatial") && !is("reduce")) expected("'spatial' or 'reduce'");
    it.kind = advance().text == "spatial" ? IterKind::kSpatial : IterKind::kReduce;
    it.var = var(new_name());
    expect("in");
    it.extent = expr();
    expect("=");
    it.binding = expr();
    b.iters.push_back(std::move(it));
    if (!accept(",")) break;
  }
  expect(")");
  if (accept("where")) b.predicate = expr();
  b.annotations = attrs();
  // The body may use names of its own; what the outside had comes back after it.
  auto vars = vars_;
  auto buffers = buffers_;
  for (const IterVar& it : b.iters) vars_[it.var.name()] = it.var;
  Stmt s = block_body(std::move(b));
  vars_ = std::move(vars);
  buffers_ = std::move(buffers);
  return s;
}

Stmt Parser::block_body(Block b) {
  expect("{");
  while (accept("allocs")) {
    Buffer a = declaration();
    buffers_[a->name] = a;
    b.allocs.push_back(std::move(a));
  }
  if (accept("reads")) b.reads = regions();
  if (accept("writes")) b.writes = regions();
  if (accept("init")) b.init = braced();
  std::vector<Stmt> stmts;
  while (!accept("}")) stmts.push_back(stmt());
  b.body = stmts.size() == 1 ? stmts[0] : make_stmt(Seq{std::move(stmts)});
  return make_stmt(std::move(b));
}

Stmt Parser::stmt() {
  Deeper deeper(*this);
  const Token at = token_;
  start_ = at;
  if (accept("for")) return for_loop();
  if (accept("block")) return block();
  if (accept("if")) {
    Expr cond = expr();
    if (cond.dtype() != DType::boolean())
      throw SyntaxError{at, "the condition is " + cond.dtype().str() + ", not bool"};
    Stmt then_case = braced();
    return if_(cond, then_case, accept("else") ? braced() : Stmt());
  }
  if (is("{")) {
    expect("{");
    std::vector<Stmt> stmts;
    while (!accept("}")) stmts.push_back(stmt());
    return make_stmt(Seq{std::move(stmts)});
  }
  if (accept("alloc")) {
    Buffer b = declaration();
    return allocate(b, with(buffers_, b->name, b, [&] { return braced(); }));
  }
  if (accept("let")) {
    const std::string name = new_name();
    expect(":");
    Var v = var(name, dtype());
    expect("=");
    Expr value = expr();
    if (value.dtype() != v.dtype()) {
      throw SyntaxError{at, "let " + name + " is " + v.dtype().str() + ", its value " + value.dtype().str()};
    }
    return let(v, value, with(vars_, name, v, [&] { return braced(); }));
  }
  if (accept("evaluate")) return evaluate(expr());
  if (accept("assume")) return assume(expr());
  if (accept("prefetch")) {
    Access a = plain_access();
    expect("locality");
    const int locality = static_cast<int>(integer(0, 3));
    start_ = at;
    return prefetch(a.buffer, std::move(a.indices), locality);
  }
  if (accept("barrier")) {
    const auto scope = text::parse_scope(token_.text);
    if (!scope) expected("'global', 'shared' or 'local'");
    advance();
    return barrier(*scope);
  }
  if (token_.kind != TokenKind::kName || text::is_reserved(token_.text)) expected("a statement");
  Access a = access();
  expect("=");
  Expr value = expr();
  start_ = at;
  return store(a.buffer, std::move(a.indices), value, a.predicate);
}

}  // namespace

Result<Module> parse_module(std::string_view source, const std::string& file) {
  typing::Guard guard;
  Parser p(source);
  try {
    return p.module();
  } catch (const SyntaxError& e) {
    return error("{}:{}:{}: {}", file, e.at.line, e.at.column, e.message);
  } catch (const typing::Fault& e) {
    return error("{}:{}:{}: {}", file, p.start().line, p.start().column, e.message);
  }
}

Result<PrimFunc> parse_func(std::string_view source, const std::string& file) {
  MLC_TRY(Module m, parse_module(source, file));
  if (m.functions.size() != 1) return error("{}: found {} functions, expected one", file, m.functions.size());
  return std::move(m.functions[0]);
}

}  // namespace mlc::ir
