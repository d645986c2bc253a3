// Expressions. Everything is parenthesized: precedence is not the same in all C-like languages.
#include <cmath>

#include "codegen/c_style/kernel_printer.h"
#include "ir/text.h"
#include "ir/visit.h"

namespace mlc::codegen {

using namespace ir;  // NOLINT: a printer is written in the IR's words

namespace {

// i64 arithmetic over variables and constants does not overflow (arith/bounds.h) and may stay signed.
bool is_index(const Expr& e) {
  if (as<VarRef>(e) || as<IntImm>(e)) return true;
  if (const Cast* c = as<Cast>(e)) return c->a.dtype().is_any_int() && c->a.dtype().bits < 64;
  const Binary* b = as<Binary>(e);
  return b && is_index(b->a) && is_index(b->b);
}

const char* comparison(BinaryOp op) {
  switch (op) {
    case BinaryOp::kEq:
      return "==";
    case BinaryOp::kNe:
      return "!=";
    case BinaryOp::kLt:
      return "<";
    case BinaryOp::kLe:
      return "<=";
    case BinaryOp::kGt:
      return ">";
    case BinaryOp::kGe:
      return ">=";
    default:
      return nullptr;
  }
}

bool is_half(DType t) { return t.is_float() && t.bits == 16; }

}  // namespace

std::string KernelPrinter::int_literal(DType t, int64_t v) {
  if (t.is_bool()) return v ? "true" : "false";
  const auto& row = type_row(t);
  if (t.is_uint() && t.bits == 64) return fmt::format("{}{}", static_cast<uint64_t>(v), row.suffix);
  std::string text;
  if (t.is_int() && t.bits >= 32 && v == (t.bits == 64 ? INT64_MIN : int64_t{INT32_MIN})) {
    text = fmt::format("(-{}{} - 1)", t.bits == 64 ? INT64_MAX : int64_t{INT32_MAX}, row.suffix);
  } else {
    text = fmt::format("{}{}", v, row.suffix);
    if (v < 0) text = "(" + text + ")";
  }
  return t.bits < 32 ? fmt::format("(({}){})", row.value, text) : text;
}

std::string KernelPrinter::float_literal(DType t, double v) {
  const auto& row = type_row(t);
  if (is_half(t)) {
    const auto f = static_cast<float>(v);
    return fmt::format("(({}){:#06x})", row.value, t.is_bfloat() ? f32_to_bf16(f) : f32_to_f16(f));
  }
  if (std::isnan(v)) return wrapped(t, d_.nan);
  if (std::isinf(v)) return wrapped(t, fmt::format("{}{}", v < 0 ? "-" : "", d_.infinity));
  std::string text = t.bits == 64 ? fmt::format("{}", v) : fmt::format("{}", static_cast<float>(v));
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  text += row.suffix;
  return std::signbit(v) ? "(" + text + ")" : text;
}

std::string KernelPrinter::wrapped(DType t, const std::string& value) const {
  return fmt::format("({})({})", type(t), value);
}

// C computes in int what is narrower.
std::string KernelPrinter::narrowed(DType t, const std::string& value) const {
  return t.bits < 32 && !t.is_bool() ? wrapped(t, value) : value;
}

std::string KernelPrinter::call(const std::string& name, const std::vector<Expr>& args) {
  const DType t = args[0].dtype();
  for (const auto& f : d_.functions) {
    const char* form = t.is_float() ? f.floats : f.integers;
    if (name != f.name || !form) continue;
    if (is_half(t)) return fail(fmt::format("{} on {} was not legalized", name, t.str()));
    std::string a[3];
    for (size_t i = 0; i < args.size() && i < 3; ++i) a[i] = expr(args[i]);
    return fmt::format(fmt::runtime(form), a[0], a[1], a[2], fmt::arg("type", type(t)));
  }
  return fail(fmt::format("there is no spelling of {} on {}", name, t.str()));
}

std::string KernelPrinter::floor_division(DType t, const Binary& x) {
  const bool quotient = x.op == BinaryOp::kFloorDiv;
  const std::string a = expr(x.a);
  const int64_t* c = as_const_int(x.b);
  if (c && *c > 0 && (*c & (*c - 1)) == 0) {
    if (!quotient) return wrapped(t, fmt::format("{} & {}", a, int_literal(t, *c - 1)));
    const int shift = __builtin_ctzll(static_cast<uint64_t>(*c));
    return wrapped(t, fmt::format("{} >> {}", a, shift));
  }
  if (!t.is_int()) return wrapped(t, fmt::format("{} {} {}", a, quotient ? "/" : "%", expr(x.b)));
  return fmt::format(fmt::runtime(quotient ? d_.floor_div : d_.floor_mod), a, expr(x.b), fmt::arg("type", type(t)));
}

std::string KernelPrinter::integer_binary(DType t, const Expr& e, const Binary& x) {
  using Op = BinaryOp;
  const char* op = x.op == Op::kAdd   ? "+"
                   : x.op == Op::kSub ? "-"
                   : x.op == Op::kMul ? "*"
                   : x.op == Op::kAnd ? "&"
                   : x.op == Op::kOr  ? "|"
                   : x.op == Op::kXor ? "^"
                   : x.op == Op::kShl ? "<<"
                   : x.op == Op::kShr ? ">>"
                                      : nullptr;
  if (!op) return fail("there is no spelling of this integer operation: " + ir::print(e));
  const std::string u = type_row(t).unsigned_value;
  std::string a = expr(x.a), b = expr(x.b);
  const bool shift = x.op == Op::kShl || x.op == Op::kShr;
  if (shift) {
    const int64_t* n = as_const_int(x.b);
    const bool small = n && *n >= 0 && *n < t.bits;
    b = small ? fmt::format("{}", *n) : fmt::format("({} & {})", b, int_literal(t, t.bits - 1));
  }
  const bool plain = t == DType::u32() || t == DType::u64() || (t.bits == 64 && is_index(e));
  if (plain) return fmt::format("({} {} {})", a, op, b);
  const bool wraps = x.op == Op::kAdd || x.op == Op::kSub || x.op == Op::kMul || x.op == Op::kShl;
  if (!wraps) return narrowed(t, fmt::format("({} {} {})", a, op, b));
  if (!shift) b = fmt::format("({}){}", u, b);
  return wrapped(t, fmt::format("({}){} {} {}", u, a, op, b));
}

std::string KernelPrinter::binary(const Expr& e, const Binary& x) {
  using Op = BinaryOp;
  const DType t = x.a.dtype();
  if (is_half(t)) return fail("16-bit float arithmetic was not legalized: " + ir::print(e));
  const char* compare = comparison(x.op);
  if (t.lanes > 1 && (compare || !t.is_float())) return fail("vector code was not taken apart: " + ir::print(e));
  if (compare) return fmt::format("({} {} {})", expr(x.a), compare, expr(x.b));
  if (t.is_bool()) {
    const char* op = x.op == Op::kAnd || x.op == Op::kMin  ? "&&"
                     : x.op == Op::kOr || x.op == Op::kMax ? "||"
                     : x.op == Op::kXor                    ? "!="
                                                           : nullptr;
    return op ? fmt::format("({} {} {})", expr(x.a), op, expr(x.b)) : fail("arithmetic on bool: " + ir::print(e));
  }
  if (x.op == Op::kMin || x.op == Op::kMax) return call(x.op == Op::kMin ? "min" : "max", {x.a, x.b});
  if (x.op == Op::kFloorDiv || x.op == Op::kFloorMod) return floor_division(t, x);
  if (!t.is_float()) return integer_binary(t, e, x);
  const char* op = x.op == Op::kAdd   ? "+"
                   : x.op == Op::kSub ? "-"
                   : x.op == Op::kMul ? "*"
                   : x.op == Op::kDiv ? "/"
                                      : "";
  if (!*op) return fail("there is no such operation on floats: " + ir::print(e));
  return fmt::format("({} {} {})", expr(x.a), op, expr(x.b));
}

std::string KernelPrinter::cast_expr(DType to, const Expr& a) {
  const DType from = a.dtype();
  if (to.lanes > 1) return fail("a cast of vectors was not taken apart");
  const std::string value = expr(a);
  if (is_half(from) || is_half(to)) {
    const bool bf = from.is_bfloat() || to.is_bfloat();
    if (!bf && to == DType::f32()) return fmt::format(fmt::runtime(d_.half_to_float), value);
    if (!bf && from == DType::f32()) return fmt::format(fmt::runtime(d_.float_to_half), value);
    return fail(fmt::format("the cast from {} to {} was not legalized", from.str(), to.str()));
  }
  if (to.is_bool()) return fmt::format("({} != 0)", value);
  if (from.is_any_int() && to.is_float()) {
    return fmt::format(fmt::runtime(d_.int_to_float), value, fmt::arg("type", type(to)), fmt::arg("from", type(from)));
  }
  if (from.is_float() && to.is_any_int()) {
    return fmt::format(fmt::runtime(d_.float_to_int), value, fmt::arg("type", type(to)), fmt::arg("from", type(from)));
  }
  return fmt::format("(({}){})", type(to), value);
}

std::string KernelPrinter::reinterpreted(DType to, const Expr& a) {
  if (to.lanes > 1 || a.dtype().lanes > 1) return fail("a reinterpreted vector was not taken apart");
  if (to.is_bool()) return fmt::format("({} != 0)", expr(a));  // one byte, 0 or 1
  if (a.dtype().is_bool()) return wrapped(to, expr(a));
  if (type(to) == type(a.dtype())) return expr(a);
  return fmt::format(fmt::runtime(d_.bits), expr(a), fmt::arg("type", type(to)));
}

// Row-major: ((i0 * d1) + i1) * d2 + i2.
std::string KernelPrinter::element_index(const Buffer& b, const std::vector<Expr>& indices) {
  std::string text;
  for (size_t i = 0; i < indices.size(); ++i) {
    Expr index = indices[i];
    if (const Ramp* r = as<Ramp>(index)) index = r->base;  // contiguous: the address of the first lane
    if (index.dtype().lanes > 1) return fail("a gather was not taken apart by lower/");
    if (!text.empty() && !is_const(b->shape[i], 1)) text = fmt::format("{} * {}", text, expr(b->shape[i]));
    if (is_const(index, 0)) continue;
    const std::string part = expr(index);
    text = text.empty() ? part : fmt::format("({} + {})", text, part);
  }
  return text.empty() ? "0" : text;
}

std::string KernelPrinter::load(const Expr& e, const Load& x) {
  const DType t = e.dtype();
  const std::string buffer = name_of(x.buffer.get(), x.buffer->name);
  const std::string index = element_index(x.buffer, x.indices);
  if (t.lanes > 1) {
    if (x.predicate) return fail("a guarded vector load was not taken apart by lower/");
    return fmt::format(fmt::runtime(d_.vector_load), fmt::arg("lanes", t.lanes),
                       fmt::arg("pointer", fmt::format("{} + {}", buffer, index)));
  }
  std::string value = fmt::format("{}[{}]", buffer, index);
  if (t.is_bool()) value = fmt::format("({} != 0)", value);
  if (!x.predicate) return value;
  return narrowed(t, fmt::format("({} ? {} : {})", expr(x.predicate), value, expr(zero(t))));
}

// As the condition of an `if`, which brings its own parentheses: compilers warn about two pairs.
std::string KernelPrinter::condition(const Expr& e) {
  std::string text = expr(e);
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
    if (depth == 0 && i + 1 < text.size()) return text;  // the first pair does not hold all of it
  }
  return text.size() > 1 && text[0] == '(' ? text.substr(1, text.size() - 2) : text;
}

std::string KernelPrinter::expr(const Expr& e) {
  if (error_) return "0";
  const DType t = e.dtype();
  return ir::match(
      e, [&](const IntImm& x) { return int_literal(t, x.value); },
      [&](const FloatImm& x) { return float_literal(t, x.value); },
      [&](const VarRef& x) { return name_of(x.var.get(), x.var.name()); },
      [&](const Unary& x) -> std::string {
        const std::string a = expr(x.a);
        if (is_half(t)) return fail("16-bit float arithmetic was not legalized: " + ir::print(e));
        if (x.op == UnaryOp::kNot) return t.is_bool() ? "!(" + a + ")" : wrapped(t, "~" + a);
        if (t.is_float()) return "(-" + a + ")";
        return wrapped(t, fmt::format("0 - ({}){}", type_row(t).unsigned_value, a));
      },
      [&](const Binary& x) { return binary(e, x); }, [&](const Cast& x) { return cast_expr(t, x.a); },
      [&](const Reinterpret& x) { return reinterpreted(t, x.a); },
      [&](const Select& x) {
        if (t.lanes > 1) return fail("a vector select was not taken apart");
        return narrowed(t, fmt::format("({} ? {} : {})", expr(x.cond), expr(x.if_true), expr(x.if_false)));
      },
      [&](const Load& x) { return load(e, x); },
      [&](const LoadBits&) { return fail("a load that reinterprets bytes was not taken apart"); },
      [&](const Ramp&) { return fail("a ramp is no value in this language"); },
      [&](const Broadcast& x) { return fmt::format(fmt::runtime(d_.splat), expr(x.a), fmt::arg("type", type(t))); },
      [&](const Shuffle& x) {
        if (t.lanes > 1 || x.vectors.size() != 1) return fail("a shuffle was not taken apart");
        return fmt::format(fmt::runtime(d_.lane), expr(x.vectors[0]),
                           fmt::arg("lane", fmt::format("{:x}", x.indices[0])));
      },
      [&](const VectorReduce&) { return fail("a vector reduction was not taken apart"); },
      [&](const Call& x) { return call(x.intrinsic, x.args); });
}

}  // namespace mlc::codegen
