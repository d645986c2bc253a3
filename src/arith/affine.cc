#include "arith/affine.h"

#include <algorithm>

namespace mlc::arith {

using namespace ir;  // NOLINT: the folder is about ir

namespace {

int64_t wrapping_mul(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
int64_t wrapping_add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

// Products are the same either way round.
bool same_atom(const Expr& a, const Expr& b) {
  if (equal(a, b)) return true;
  const Binary *x = as<Binary>(a), *y = as<Binary>(b);
  return x && y && x->op == BinaryOp::kMul && y->op == BinaryOp::kMul && equal(x->a, y->b) && equal(x->b, y->a);
}

void collect(const Expr& e, int64_t factor, LinearForm& out) {
  if (const int64_t* c = as_const_int(e)) {
    out.constant = wrap_int(out.dtype, wrapping_add(out.constant, wrapping_mul(*c, factor)));
    return;
  }
  if (const Unary* u = as<Unary>(e); u && u->op == UnaryOp::kNeg) {
    collect(u->a, wrapping_mul(factor, -1), out);
    return;
  }
  if (const Binary* b = as<Binary>(e)) {
    if (b->op == BinaryOp::kAdd || b->op == BinaryOp::kSub) {
      collect(b->a, factor, out);
      collect(b->b, b->op == BinaryOp::kAdd ? factor : wrapping_mul(factor, -1), out);
      return;
    }
    if (b->op == BinaryOp::kMul) {
      if (const int64_t* c = as_const_int(b->b)) return collect(b->a, wrapping_mul(factor, *c), out);
      if (const int64_t* c = as_const_int(b->a)) return collect(b->b, wrapping_mul(factor, *c), out);
    }
  }
  out.add(e, factor);
}

}  // namespace

LinearForm linear_form(const Expr& e) {
  MLC_CHECK(e.dtype().is_any_int(), "linear form of {}", e.dtype().str());
  LinearForm out;
  out.dtype = e.dtype();
  collect(e, 1, out);
  return out;
}

void LinearForm::add(const Expr& atom, int64_t c) {
  // Coefficients count modulo 2^bits; the signed representative reads best.
  const DType as_signed{TypeCode::kInt, dtype.bits, 1};
  auto it = std::find_if(terms.begin(), terms.end(), [&](const Term& t) { return same_atom(t.atom, atom); });
  if (it == terms.end()) {
    if (const int64_t w = wrap_int(as_signed, c)) terms.push_back({atom, w});
    return;
  }
  it->coefficient = wrap_int(as_signed, wrapping_add(it->coefficient, c));
  if (it->coefficient == 0) terms.erase(it);
}

void LinearForm::add(const LinearForm& other, int64_t factor) {
  for (const Term& t : other.terms) add(t.atom, wrapping_mul(t.coefficient, factor));
  constant = wrap_int(dtype, wrapping_add(constant, wrapping_mul(other.constant, factor)));
}

int64_t LinearForm::coefficient(const Var& v) const {
  for (const Term& t : terms) {
    const VarRef* r = as<VarRef>(t.atom);
    if (r && r->var == v) return t.coefficient;
  }
  return 0;
}
bool LinearForm::is_affine() const {
  return std::all_of(terms.begin(), terms.end(), [](const Term& t) { return as<VarRef>(t.atom) != nullptr; });
}
bool LinearForm::hides(const Var& v) const {
  return std::any_of(terms.begin(), terms.end(),
                     [&](const Term& t) { return !as<VarRef>(t.atom) && uses_var(t.atom, v); });
}
LinearForm LinearForm::without(const Var& v) const {
  LinearForm out = *this;
  std::erase_if(out.terms, [&](const Term& t) {
    const VarRef* r = as<VarRef>(t.atom);
    return r && r->var == v;
  });
  return out;
}

Expr LinearForm::to_expr() const {
  if (terms.empty()) return imm(dtype, constant);
  auto scaled = [&](const Expr& atom, int64_t c) { return c == 1 ? atom : atom * imm(dtype, c); };
  // A positive term leads, else the constant, so that the rest can be subtracted.
  auto lead = std::find_if(terms.begin(), terms.end(), [](const Term& t) { return t.coefficient > 0; });
  const DType as_signed{TypeCode::kInt, dtype.bits, 1};
  int64_t rest = wrap_int(as_signed, constant);
  Expr sum;
  if (lead != terms.end()) {
    sum = scaled(lead->atom, lead->coefficient);
  } else if (rest != 0) {
    sum = imm(dtype, constant);
    rest = 0;
  } else {
    lead = terms.begin();
    sum = scaled(lead->atom, lead->coefficient);
  }
  const int64_t smallest = wrap_int(as_signed, static_cast<int64_t>(uint64_t{1} << (dtype.bits - 1)));
  for (auto t = terms.begin(); t != terms.end(); ++t) {
    if (t == lead) continue;
    const bool subtract = t->coefficient < 0 && t->coefficient != smallest;
    sum = subtract ? sum - scaled(t->atom, -t->coefficient) : sum + scaled(t->atom, t->coefficient);
  }
  if (rest == 0) return sum;
  const bool subtract = rest < 0 && rest != smallest;
  return subtract ? sum - imm(dtype, -rest) : sum + imm(dtype, rest);
}

}  // namespace mlc::arith
