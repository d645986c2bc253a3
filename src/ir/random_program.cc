#include "ir/random_program.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>

#include "ir/interp_program.h"
#include "ir/visit.h"

namespace mlc::ir {

namespace {

constexpr DType kInts[] = {DType::i8(),  DType::u8(),  DType::i16(), DType::u16(),
                           DType::i32(), DType::u32(), DType::i64(), DType::u64()};
constexpr DType kFloats[] = {DType::f32(), DType::f32(), DType::f16(), DType::bf16(), DType::f64()};

class Generator {
 public:
  Generator(uint64_t seed, const RandomOptions& options) : options_(options), rng_(seed) {}
  RandomProgram run();

 private:
  RandomOptions options_;
  std::mt19937_64 rng_;
  std::vector<Buffer> inputs_;   // only read
  std::vector<Buffer> outputs_;  // [rows, columns]: written and read in row `row_`
  std::vector<Buffer> locals_;   // 1-D, written before
  std::vector<Var> vars_;        // in scope, any scalar type
  std::map<Buffer, std::vector<int64_t>> extents_;
  Var n_;
  int64_t n_value_ = 1;
  Expr row_;
  int names_ = 0;
  static constexpr int64_t kRows = 4;

  int64_t pick(int64_t n) { return static_cast<int64_t>(rng_() % static_cast<uint64_t>(n)); }
  bool chance(int percent) { return pick(100) < percent; }
  template <typename T>
  const T& one_of(const std::vector<T>& v) {
    return v[static_cast<size_t>(pick(static_cast<int64_t>(v.size())))];
  }
  std::string name(const char* base) { return base + std::to_string(names_++); }
  DType scalar_type() {
    if (chance(12)) return DType::boolean();
    return chance(50) ? kInts[pick(8)] : kFloats[pick(5)];
  }

  // ---- Expressions: of type t, lanes included
  Expr gen(DType t, int depth);
  Expr leaf(DType t);
  Expr constant(DType t);
  Expr vector_leaf(DType t, int depth);
  Expr bool_expr(DType t, int depth);
  Expr int_expr(DType t, int depth);
  Expr float_expr(DType t, int depth);
  Expr cast_to(DType t, int depth);
  Expr structural(DType t, int depth);
  // ---- Memory
  const Buffer* buffer_of(DType scalar);
  Expr index(int64_t extent, int depth);
  Expr load_scalar(const Buffer& b, int depth);
  Expr load_vector(const Buffer& b, int lanes, int depth);
  Expr load_as_bits(DType t, int depth);
  std::vector<Expr> prefix(const Buffer& b, int depth);
  // ---- Statements
  Stmt stmts(int depth);
  Stmt stmt(int depth);
  Stmt store_stmt();
  Stmt for_stmt(int depth);
  Stmt local_stmt(int depth);
  Stmt let_stmt(int depth);
  Stmt fact();
  Stmt vector_loop();
  Stmt reduction_block();

  Buffer declare(std::vector<Buffer>& list, const char* base, DType t, std::vector<int64_t> shape, bool may_use_n);
  std::vector<uint8_t> contents(const Buffer& b);
};

Expr Generator::constant(DType t) {
  if (t.is_bool()) return imm(t, pick(2));
  if (t.is_float()) {
    static constexpr double kValues[] = {0, 1, -1, 0.5, 2, -3, 0.1, 100, 1e-3, 65504, INFINITY};
    return fimm(t, kValues[pick(11)]);
  }
  // Constants and variables of type i64 stay small: index arithmetic does not overflow. Values from memory may.
  static constexpr int64_t kValues[] = {0, 1, 2, 3, 7, 15, 16, 127, 255, -1, -128, INT64_MAX, INT64_MIN};
  return imm(t, chance(50) ? pick(20) - 3 : kValues[pick(t == DType::i64() ? 11 : 13)]);
}

const Buffer* Generator::buffer_of(DType scalar) {
  std::vector<const Buffer*> found;
  for (const auto* list : {&inputs_, &outputs_, &locals_}) {
    for (const Buffer& b : *list) {
      if (b->dtype == scalar && !(list == &outputs_ && !row_)) found.push_back(&b);
    }
  }
  return found.empty() ? nullptr : one_of(found);
}

// A scalar index in [0, extent).
Expr Generator::index(int64_t extent, int depth) {
  if (extent == 1 || chance(15)) return Expr(pick(extent));
  return floormod(gen(DType::i64(), std::min(depth, 2)), Expr(extent));
}

// All indices but the last.
std::vector<Expr> Generator::prefix(const Buffer& b, int depth) {
  std::vector<Expr> out;
  const bool is_output = std::find(outputs_.begin(), outputs_.end(), b) != outputs_.end();
  for (size_t d = 0; d + 1 < b->shape.size(); ++d) {
    out.push_back(is_output && d == 0 ? row_ : index(extents_[b][d], depth));
  }
  return out;
}

Expr Generator::load_scalar(const Buffer& b, int depth) {
  std::vector<Expr> at = prefix(b, depth);
  at.push_back(index(extents_[b].back(), depth));
  return load(b, std::move(at));
}

Expr Generator::load_vector(const Buffer& b, int lanes, int depth) {
  std::vector<Expr> at = prefix(b, depth);
  const int64_t extent = extents_[b].back();
  const int kind = static_cast<int>(pick(4));
  if (kind == 0) {  // gather
    at.push_back(floormod(gen(DType::i64().with_lanes(lanes), std::min(depth, 1)), broadcast(Expr(extent), lanes)));
    return load(b, std::move(at));
  }
  if (kind == 1 && extent >= 2 * lanes) {  // strided, either way
    const int64_t room = extent - 2 * (lanes - 1);
    const bool down = chance(50);
    Expr base = index(room, depth);
    at.push_back(down ? ramp(base + Expr(2 * (lanes - 1)), Expr(-2), lanes) : ramp(base, Expr(2), lanes));
    return load(b, std::move(at));
  }
  if (kind == 2 || extent < lanes) {  // guarded at the end
    Expr i = ramp(index(extent, depth), Expr(1), lanes);
    Expr inside = i < broadcast(Expr(extent), lanes);
    at.push_back(i);
    return load(b, std::move(at), inside);
  }
  at.push_back(ramp(index(extent - lanes + 1, depth), Expr(1), lanes));
  return load(b, std::move(at));
}

// Only input bytes are looked at as bits: a computed NaN has no defined bits.
Expr Generator::load_as_bits(DType t, int depth) {
  std::vector<const Buffer*> fit;
  for (const Buffer& b : inputs_) {
    if (extents_[b].back() * b->dtype.bytes() >= t.bytes()) fit.push_back(&b);
  }
  if (fit.empty() || t.is_bool() || t.is_float()) return {};
  const Buffer& b = *one_of(fit);
  std::vector<Expr> at = prefix(b, depth);
  const int64_t elements = (t.bytes() + b->dtype.bytes() - 1) / b->dtype.bytes();
  at.push_back(index(extents_[b].back() - elements + 1, depth));
  return load_bits(t, b, std::move(at));
}

Expr Generator::leaf(DType t) {
  if (t.lanes > 1) return vector_leaf(t, 0);
  std::vector<Var> fit;
  for (const Var& v : vars_) {
    if (v.dtype() == t) fit.push_back(v);
  }
  if (!fit.empty() && chance(60)) return one_of(fit);
  return constant(t);
}

Expr Generator::vector_leaf(DType t, int depth) {
  const Buffer* b = buffer_of(t.scalar());
  if (b && chance(50)) return load_vector(*b, t.lanes, depth);
  if (t.is_any_int() && chance(40)) return ramp(leaf(t.scalar()), constant(t.scalar()), t.lanes);
  return broadcast(leaf(t.scalar()), t.lanes);
}

Expr Generator::gen(DType t, int depth) {
  if (depth <= 0) return leaf(t);
  if (chance(25)) {
    if (t.lanes > 1) return vector_leaf(t, depth - 1);
    const Buffer* b = buffer_of(t);
    return b ? load_scalar(*b, depth - 1) : leaf(t);
  }
  if (chance(18)) return cast_to(t, depth - 1);
  if (chance(18)) return structural(t, depth - 1);
  if (t.is_bool()) return bool_expr(t, depth - 1);
  return t.is_float() ? float_expr(t, depth - 1) : int_expr(t, depth - 1);
}

Expr Generator::cast_to(DType t, int depth) {
  DType from = scalar_type().with_lanes(t.lanes);
  const bool wide = from.bits > 16 && from != DType::f32().with_lanes(t.lanes);
  if (!options_.rare_casts && t.is_float() && t.bits == 16 && wide) from = DType::f32().with_lanes(t.lanes);
  return cast(t, gen(from, depth));
}

// Nodes that only move values.
Expr Generator::structural(DType t, int depth) {
  switch (pick(5)) {
    case 0:
      return select(gen(DType::boolean().with_lanes(t.lanes), depth), gen(t, depth), gen(t, depth));
    case 1: {
      const DType v = t.scalar().with_lanes(4);
      std::vector<int> lanes;
      for (int i = 0; i < t.lanes; ++i) lanes.push_back(static_cast<int>(pick(8)));
      return shuffle({gen(v, depth - 1), gen(v, depth - 1)}, std::move(lanes));
    }
    case 2:
      if (t.lanes == 1 && !t.is_bool()) {
        static constexpr ReduceOp kOps[] = {ReduceOp::kAdd, ReduceOp::kMin, ReduceOp::kMax};
        return vector_reduce(kOps[pick(3)], gen(t.with_lanes(chance(50) ? 4 : 8), depth - 1));
      }
      return gen(t, depth);
    case 3: {
      if (Expr e = load_as_bits(t, depth)) return e;
      return gen(t, depth);
    }
    default: {
      if (!t.is_any_int()) return gen(t, depth);
      if (t.bits == 32 && t.lanes % 4 != 0 && chance(50))
        return reinterpret(t, gen(DType::u8().with_lanes(4 * t.lanes), depth - 1));
      const DType other{t.is_int() ? TypeCode::kUInt : TypeCode::kInt, t.bits, t.lanes};
      return reinterpret(t, gen(other, depth));
    }
  }
}

Expr Generator::bool_expr(DType t, int depth) {
  static constexpr BinaryOp kCompare[] = {BinaryOp::kEq, BinaryOp::kNe, BinaryOp::kLt,
                                          BinaryOp::kLe, BinaryOp::kGt, BinaryOp::kGe};
  switch (pick(6)) {
    case 0:
      return logical_and(gen(t, depth), gen(t, depth));
    case 1:
      return logical_or(gen(t, depth), gen(t, depth));
    case 2:
      return chance(50) ? logical_not(gen(t, depth)) : gen(t, depth) ^ gen(t, depth);
    default: {
      DType of = scalar_type();
      if (of.is_bool()) of = DType::i32();
      of = of.with_lanes(t.lanes);
      return binary(kCompare[pick(6)], gen(of, depth), gen(of, depth));
    }
  }
}

Expr Generator::int_expr(DType t, int depth) {
  static constexpr BinaryOp kOps[] = {BinaryOp::kAdd, BinaryOp::kSub, BinaryOp::kMul, BinaryOp::kAnd, BinaryOp::kOr,
                                      BinaryOp::kXor, BinaryOp::kShl, BinaryOp::kShr, BinaryOp::kMin, BinaryOp::kMax};
  switch (pick(8)) {
    case 0: {
      // A divisor in 1 … 8, or a constant: never 0, never -1.
      static constexpr int64_t kDivisors[] = {2, 3, 7, 16, -3, -5, 100};
      Expr d = chance(50) ? (gen(t, depth) & imm(t, 7)) + imm(t, 1) : imm(t, kDivisors[pick(7)]);
      return chance(50) ? floordiv(gen(t, depth), d) : floormod(gen(t, depth), d);
    }
    case 1:
      return unary(chance(50) ? UnaryOp::kNot : UnaryOp::kNeg, gen(t, depth));
    case 2:
      return call(t, chance(50) ? "popcount" : "abs", {gen(t, depth)});
    default:
      return binary(kOps[pick(10)], gen(t, depth), gen(t, depth));
  }
}

Expr Generator::float_expr(DType t, int depth) {
  static constexpr BinaryOp kOps[] = {BinaryOp::kAdd, BinaryOp::kSub, BinaryOp::kMul, BinaryOp::kMin, BinaryOp::kMax};
  auto at_least_one = [&] { return call(t, "abs", {gen(t, depth)}) + fimm(t, 1); };
  switch (pick(8)) {
    case 0:
      return gen(t, depth) / at_least_one();
    case 1:
      return -gen(t, depth);
    case 2: {
      static constexpr const char* kExact[] = {"abs", "floor", "ceil", "round"};
      return call(t, kExact[pick(4)], {gen(t, depth)});
    }
    case 3:
      return ir::sqrt(at_least_one());
    case 4:
      return ir::fma(gen(t, depth), gen(t, depth), gen(t, depth));
    case 5:
      if (options_.inexact) {
        static constexpr const char* kInexact[] = {"exp", "exp2", "log", "rsqrt", "tanh", "sin", "cos"};
        return call(t, kInexact[pick(7)], {ir::min(at_least_one(), fimm(t, 8))});
      }
      [[fallthrough]];
    default:
      return binary(kOps[pick(5)], gen(t, depth), gen(t, depth));
  }
}

// ---- Statements

Stmt Generator::store_stmt() {
  const bool local = !locals_.empty() && chance(40);
  const Buffer b = local ? one_of(locals_) : one_of(outputs_);
  const int64_t extent = extents_[b].back();
  static constexpr int kLanes[] = {1, 1, 1, 4, 8, 16};
  int lanes = kLanes[pick(6)];
  if (extent < lanes) lanes = 1;
  const int depth = options_.max_depth;
  std::vector<Expr> at = prefix(b, 1);
  Expr predicate;
  if (lanes == 1) {
    at.push_back(index(extent, 2));
  } else if (chance(30)) {
    at.push_back(ramp(index(extent, 1), Expr(1), lanes));
    predicate = at.back() < broadcast(Expr(extent), lanes);
    if (chance(50)) predicate = logical_and(predicate, gen(predicate.dtype(), 1));
  } else {
    const bool down = chance(25);
    Expr base = index(extent - lanes + 1, 1);
    at.push_back(down ? ramp(base + Expr(lanes - 1), Expr(-1), lanes) : ramp(base, Expr(1), lanes));
  }
  return store(b, std::move(at), gen(b->dtype.with_lanes(lanes), depth), predicate);
}

Stmt Generator::for_stmt(int depth) {
  Var v = var(name("i"));
  Expr extent = Expr(1 + pick(4));
  if (chance(25)) extent = ir::min(n_, Expr(3));
  const bool data_dependent = chance(20);
  if (data_dependent) extent = cast(DType::i64(), gen(DType::u8(), 2) & imm(DType::u8(), 3));
  Expr min = chance(70) ? Expr(0) : Expr(pick(9) - 4);
  vars_.push_back(v);
  Stmt body = stmts(depth - 1);
  if (!data_dependent && chance(20)) body = seq({assume(v < min + extent), body});
  vars_.pop_back();
  return for_(v, min, extent, body);
}

Stmt Generator::let_stmt(int depth) {
  Var v = var(name("x"), scalar_type());
  Expr value = v.dtype() == DType::i64() ? cast(DType::i64(), gen(DType::i32(), options_.max_depth))
                                         : gen(v.dtype(), options_.max_depth);
  vars_.push_back(v);
  Stmt body = stmts(depth - 1);
  vars_.pop_back();
  return let(v, value, body);
}

Stmt Generator::local_stmt(int depth) {
  static constexpr int64_t kSizes[] = {1, 5, 16, 40};
  const int64_t extent = kSizes[pick(4)];
  Buffer b = buffer(name("t"), scalar_type(), {Expr(extent)}, chance(80) ? Scope::kLocal : Scope::kGlobal);
  extents_[b] = {extent};
  Var i = var(name("i"));
  vars_.push_back(i);
  Stmt fill = for_(i, Expr(0), Expr(extent), store(b, {Expr(i)}, gen(b->dtype, 2)));
  vars_.pop_back();
  locals_.push_back(b);
  Stmt body = stmts(depth - 1);
  locals_.pop_back();
  return allocate(b, seq({fill, body}));
}

Stmt Generator::fact() {
  switch (pick(3)) {
    case 0:
      return assume(n_ >= Expr(1));
    case 1:
      return evaluate(gen(scalar_type(), 2));
    default: {
      const Buffer b = one_of(inputs_);
      std::vector<Expr> at(b->shape.size(), Expr(0));
      at.back() = gen(DType::i64(), 1);  // may lie outside
      return prefetch(b, std::move(at), static_cast<int>(pick(4)));
    }
  }
}

// A vectorized or unrolled loop whose iterations are independent: each writes an element of its own.
Stmt Generator::vector_loop() {
  const Buffer b = one_of(outputs_);
  const int64_t extent = std::min<int64_t>(extents_[b].back(), int64_t{1} << pick(5));
  Var v = var(name("v"));
  vars_.push_back(v);
  std::vector<Buffer> saved = std::exchange(outputs_, {});  // the others' elements are not to be read
  Expr value = gen(b->dtype, options_.max_depth);
  outputs_ = std::move(saved);
  vars_.pop_back();
  Stmt body = store(b, {row_, Expr(v)}, value);
  return for_(v, Expr(0), Expr(extent), body, chance(50) ? ForKind::kVectorized : ForKind::kUnrolled);
}

Stmt Generator::stmt(int depth) {
  if (depth <= 0) return store_stmt();
  switch (pick(10)) {
    case 0:
    case 1:
      return for_stmt(depth);
    case 2:
      return if_(gen(DType::boolean(), 3), stmts(depth - 1), chance(50) ? stmts(depth - 1) : Stmt());
    case 3:
      return let_stmt(depth);
    case 4:
      return local_stmt(depth);
    case 5:
      return fact();
    case 6:
      return options_.lowered ? store_stmt() : vector_loop();
    default:
      return store_stmt();
  }
}

Stmt Generator::stmts(int depth) {
  std::vector<Stmt> out;
  for (int64_t i = 1 + pick(3); i > 0; --i) out.push_back(stmt(depth));
  return seq(std::move(out));
}

// out[r, c] = init, then folded with values over k; the loops may be split with a guard.
Stmt Generator::reduction_block() {
  const Buffer b = one_of(outputs_);
  const int64_t columns = extents_[b].back();
  std::vector<Buffer> saved_outputs = std::exchange(outputs_, {}), saved_locals = std::exchange(locals_, {});
  std::vector<Var> saved_vars = std::exchange(vars_, {n_});
  Stmt s = block(name("block"), {{"r", Expr(kRows)}, {"c", Expr(columns)}, {"k", Expr(1 + pick(5)), IterKind::kReduce}},
                 [&](const std::vector<Var>& v) {
                   vars_.insert(vars_.end(), v.begin(), v.end());
                   const std::vector<Expr> at = {v[0], v[1]};
                   Expr value = gen(b->dtype, options_.max_depth), old = load(b, at);
                   Expr folded = b->dtype.is_bool() ? old ^ value : chance(50) ? old + value : ir::max(old, value);
                   return BlockBody{store(b, at, gen(b->dtype, 2)), store(b, at, folded)};
                 });
  outputs_ = std::move(saved_outputs);
  locals_ = std::move(saved_locals);
  vars_ = std::move(saved_vars);
  return s;
}

Buffer Generator::declare(std::vector<Buffer>& list, const char* base, DType t, std::vector<int64_t> shape,
                          bool may_use_n) {
  std::vector<Expr> dims(shape.begin(), shape.end());
  if (may_use_n && chance(40)) {
    dims[0] = n_ + Expr(4);
    shape[0] = n_value_ + 4;
  }
  Buffer b = buffer(name(base), t, std::move(dims));
  extents_[b] = std::move(shape);
  list.push_back(b);
  return b;
}

std::vector<uint8_t> Generator::contents(const Buffer& b) {
  int64_t count = 1;
  for (int64_t d : extents_[b]) count *= d;
  std::vector<interp::Slot> values(static_cast<size_t>(count));
  for (interp::Slot& v : values) {
    if (b->dtype.is_float()) {
      const double x = static_cast<double>(static_cast<int64_t>(rng_() % 4001) - 2000) / (chance(30) ? 125.0 : 250.0);
      v.f = round_float(b->dtype, chance(30) ? std::nearbyint(x) : x);
    } else {
      v.i = wrap_int(b->dtype, b->dtype.is_bool() ? pick(2) : static_cast<int64_t>(chance(50) ? rng_() : rng_() % 16));
    }
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(count * b->dtype.bytes()));
  interp::encode(b->dtype, values.data(), static_cast<int>(count), bytes.data());
  return bytes;
}

RandomProgram Generator::run() {
  n_ = var("n");
  n_value_ = 1 + pick(20);
  vars_.push_back(n_);
  static const std::vector<std::vector<int64_t>> kShapes = {{33}, {64}, {5, 32}, {8, 17}, {2, 3, 16}};
  for (int64_t i = 3 + pick(3); i > 0; --i) declare(inputs_, "in", scalar_type(), one_of(kShapes), true);
  for (int64_t i = 1 + pick(2); i > 0; --i) declare(outputs_, "out", scalar_type(), {kRows, 20 + pick(20)}, false);

  Var row = var("row");
  row_ = row;
  vars_.push_back(row);
  Stmt body = for_(row, Expr(0), Expr(kRows), stmts(3), chance(50) ? ForKind::kParallel : ForKind::kSerial);
  vars_.pop_back();
  row_ = {};
  if (!options_.lowered) body = chance(50) ? seq({body, reduction_block()}) : seq({reduction_block(), body});
  RandomProgram p;
  p.func.name = "random";
  p.func.sizes = {n_};
  p.sizes = {n_value_};
  for (const auto* list : {&inputs_, &outputs_}) {
    for (const Buffer& b : *list) {
      p.func.buffers.push_back(b);
      p.buffers.push_back(contents(b));
    }
  }
  p.func.body = body;
  return p;
}

}  // namespace

RandomProgram random_program(uint64_t seed, const RandomOptions& options) { return Generator(seed, options).run(); }

std::vector<RawBuffer> raw_buffers(std::vector<std::vector<uint8_t>>& data) {
  std::vector<RawBuffer> out;
  for (auto& d : data) out.push_back({d.data(), static_cast<int64_t>(d.size())});
  return out;
}

int64_t first_difference(DType dtype, const std::vector<uint8_t>& a, const std::vector<uint8_t>& b, double max_ulp) {
  if (a.size() != b.size()) return 0;
  const int64_t count = static_cast<int64_t>(a.size()) / dtype.bytes();
  const int mantissa = dtype.bits == 64 ? 52 : dtype.bits == 32 ? 23 : dtype.is_bfloat() ? 7 : 10;
  for (int64_t i = 0; i < count; ++i) {
    const size_t at = static_cast<size_t>(i * dtype.bytes());
    if (std::memcmp(&a[at], &b[at], static_cast<size_t>(dtype.bytes())) == 0) continue;
    if (!dtype.is_float()) return i;
    interp::Slot x, y;
    interp::decode(dtype, &a[at], 1, &x);
    interp::decode(dtype, &b[at], 1, &y);
    if (x.f == y.f || (std::isnan(x.f) && std::isnan(y.f))) continue;
    if (max_ulp > 0 && std::isfinite(x.f) && std::isfinite(y.f)) {
      const double ulp = std::ldexp(1.0, std::ilogb(std::max({std::fabs(x.f), std::fabs(y.f), 1e-30})) - mantissa);
      if (std::fabs(x.f - y.f) <= max_ulp * ulp) continue;
    }
    return i;
  }
  return -1;
}

}  // namespace mlc::ir
