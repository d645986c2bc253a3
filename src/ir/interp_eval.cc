// Expressions of the interpreter, lane by lane: what the nodes mean.
#include <bit>
#include <cmath>
#include <cstring>

#include "ir/interp_program.h"

namespace mlc::ir::interp {

namespace {

// wrap_int without the call, for the inner loops.
inline int64_t wrap(DType t, uint64_t v) {
  switch (t.code) {
    case TypeCode::kBool:
      return v != 0;
    case TypeCode::kInt:
      return t.bits == 64   ? static_cast<int64_t>(v)
             : t.bits == 32 ? static_cast<int32_t>(v)
             : t.bits == 16 ? static_cast<int16_t>(v)
                            : static_cast<int8_t>(v);
    default:
      return static_cast<int64_t>(t.bits == 64   ? v
                                  : t.bits == 32 ? static_cast<uint32_t>(v)
                                  : t.bits == 16 ? static_cast<uint16_t>(v)
                                                 : static_cast<uint8_t>(v));
  }
}

// Rounds a double that is within one rounding of the exact result (f32 and narrower: double's 53 bits make the second
// rounding of + - * / innocent). 16-bit floats go through f32, as their definition says.
inline double rounded(DType t, double v) {
  if (t.bits == 64) return v;
  const float f = static_cast<float>(v);
  if (t.bits == 32) return f;
  return t.is_bfloat() ? bf16_to_f32(f32_to_bf16(f)) : f16_to_f32(f32_to_f16(f));
}

inline uint64_t u(int64_t v) { return static_cast<uint64_t>(v); }
inline bool is_u64(DType t) { return t.is_uint() && t.bits == 64; }

int64_t floor_divide(DType t, int64_t a, int64_t b, bool want_mod) {
  if (b == 0) trap("division of {} by zero", a);
  if (is_u64(t)) return static_cast<int64_t>(want_mod ? u(a) % u(b) : u(a) / u(b));
  if (t.is_int() && b == -1) {
    if (a == wrap(t, uint64_t{1} << (t.bits - 1))) trap("division of the smallest {} by -1", t.scalar().str());
    return want_mod ? 0 : -a;
  }
  const int64_t q = a / b, r = a % b;
  const bool below = r != 0 && (r < 0) != (b < 0);
  return want_mod ? (below ? r + b : r) : (below ? q - 1 : q);
}

int64_t shift(DType t, int64_t a, int64_t b, bool left) {
  const int count = static_cast<int>(u(b) & (t.bits - 1u));
  if (left) return wrap(t, u(a) << count);
  return t.is_int() ? a >> count : static_cast<int64_t>(u(a) >> count);
}

int64_t int_binary(BinaryOp op, DType t, int64_t a, int64_t b) {
  const bool wide = is_u64(t);
  const bool less = wide ? u(a) < u(b) : a < b;
  switch (op) {
    case BinaryOp::kAdd:
      return wrap(t, u(a) + u(b));
    case BinaryOp::kSub:
      return wrap(t, u(a) - u(b));
    case BinaryOp::kMul:
      return wrap(t, u(a) * u(b));
    case BinaryOp::kFloorDiv:
      return floor_divide(t, a, b, false);
    case BinaryOp::kFloorMod:
      return floor_divide(t, a, b, true);
    case BinaryOp::kMin:
      return less ? a : b;
    case BinaryOp::kMax:
      return less ? b : a;
    case BinaryOp::kAnd:
      return a & b;
    case BinaryOp::kOr:
      return a | b;
    case BinaryOp::kXor:
      return a ^ b;
    case BinaryOp::kShl:
      return shift(t, a, b, true);
    case BinaryOp::kShr:
      return shift(t, a, b, false);
    case BinaryOp::kEq:
      return a == b;
    case BinaryOp::kNe:
      return a != b;
    case BinaryOp::kLt:
      return less;
    case BinaryOp::kLe:
      return less || a == b;
    case BinaryOp::kGt:
      return !less && a != b;
    case BinaryOp::kGe:
      return !less;
    case BinaryOp::kDiv:
      break;
  }
  MLC_UNREACHABLE("integer operator {}", static_cast<int>(op));
}

double float_min_max(double a, double b, bool want_min) {
  if (std::isnan(a)) return b;
  if (std::isnan(b)) return a;
  return (want_min ? a < b : a > b) ? a : b;
}

double float_arithmetic(BinaryOp op, DType t, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return rounded(t, a + b);
    case BinaryOp::kSub:
      return rounded(t, a - b);
    case BinaryOp::kMul:
      return rounded(t, a * b);
    case BinaryOp::kDiv:
      return rounded(t, a / b);
    case BinaryOp::kMin:
      return float_min_max(a, b, true);
    case BinaryOp::kMax:
      return float_min_max(a, b, false);
    default:
      MLC_UNREACHABLE("float operator {}", static_cast<int>(op));
  }
}

bool float_compare(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kEq:
      return a == b;
    case BinaryOp::kNe:
      return a != b;
    case BinaryOp::kLt:
      return a < b;
    case BinaryOp::kLe:
      return a <= b;
    case BinaryOp::kGt:
      return a > b;
    case BinaryOp::kGe:
      return a >= b;
    default:
      MLC_UNREACHABLE("float comparison {}", static_cast<int>(op));
  }
}

void eval_binary(const ENode& n, const Slot* a, const Slot* b, Slot* out) {
  const BinaryOp op = static_cast<BinaryOp>(n.op);
  const DType t = n.operand;
  if (!t.is_float()) {
    for (int i = 0; i < t.lanes; ++i) out[i].i = int_binary(op, t, a[i].i, b[i].i);
  } else if (op >= BinaryOp::kEq) {
    for (int i = 0; i < t.lanes; ++i) out[i].i = float_compare(op, a[i].f, b[i].f);
  } else {
    for (int i = 0; i < t.lanes; ++i) out[i].f = float_arithmetic(op, t, a[i].f, b[i].f);
  }
}

// ---- Casts

int64_t float_to_int(DType t, double v) {
  if (std::isnan(v)) return 0;
  const double top = std::ldexp(1.0, t.is_int() ? t.bits - 1 : t.bits);  // one past the largest
  const double bottom = t.is_int() ? -top : 0.0;
  v = std::trunc(v);
  if (v >= top) return t.is_int() ? static_cast<int64_t>((uint64_t{1} << (t.bits - 1)) - 1) : wrap(t, ~uint64_t{0});
  if (v <= bottom) return t.is_int() ? wrap(t, uint64_t{1} << (t.bits - 1)) : 0;
  return is_u64(t) ? static_cast<int64_t>(static_cast<uint64_t>(v)) : static_cast<int64_t>(v);
}

double int_to_float(DType from, DType to, int64_t v) {
  if (is_u64(from)) {
    const uint64_t w = u(v);
    if (to.bits == 64) return static_cast<double>(w);
    if (to.bits == 32) return static_cast<float>(w);
    // Keep the dropped bits as one sticky bit, so that the value fits a double and rounds once.
    const uint64_t kept = w >> 53 == 0 ? w : ((w & ~uint64_t{0xfff}) | (uint64_t{(w & 0xfff) != 0} << 11));
    return round_float(to, static_cast<double>(kept));
  }
  if (to.bits == 64) return static_cast<double>(v);
  if (to.bits == 32) return static_cast<float>(v);
  const double magnitude = int_to_float(DType::u64(), to, v < 0 ? static_cast<int64_t>(-u(v)) : v);
  return v < 0 ? -magnitude : magnitude;
}

void eval_cast(const ENode& n, const Slot* a, Slot* out) {
  const DType from = n.operand, to = n.type;
  for (int i = 0; i < to.lanes; ++i) {
    if (from.is_float()) {
      if (to.is_bool()) {
        out[i].i = a[i].f != 0;
      } else if (to.is_float()) {
        out[i].f = round_float(to, a[i].f);
      } else {
        out[i].i = float_to_int(to, a[i].f);
      }
    } else if (to.is_float()) {
      out[i].f = int_to_float(from, to, a[i].i);
    } else {
      out[i].i = wrap(to, u(a[i].i));
    }
  }
}

// ---- Math

double math_value(MathOp op, double x) {
  switch (op) {
    case MathOp::kExp:
      return std::exp(x);
    case MathOp::kExp2:
      return std::exp2(x);
    case MathOp::kLog:
      return std::log(x);
    case MathOp::kSqrt:
      return std::sqrt(x);
    case MathOp::kRsqrt:
      return 1.0 / std::sqrt(x);
    case MathOp::kAbs:
      return std::fabs(x);
    case MathOp::kFloor:
      return std::floor(x);
    case MathOp::kCeil:
      return std::ceil(x);
    case MathOp::kRound:
      return std::nearbyint(x);
    case MathOp::kTanh:
      return std::tanh(x);
    case MathOp::kSin:
      return std::sin(x);
    case MathOp::kCos:
      return std::cos(x);
    default:
      MLC_UNREACHABLE("math function {}", static_cast<int>(op));
  }
}

double fused(DType t, double a, double b, double c) {
  if (t.bits == 64) return std::fma(a, b, c);
  return rounded(t, std::fmaf(static_cast<float>(a), static_cast<float>(b), static_cast<float>(c)));
}

// acc + the sum of four products of bytes, those of `a` unsigned and those of `b` signed, in 32 bits.
int64_t dot4(int64_t acc, int64_t a, int64_t b) {
  int64_t sum = acc;
  for (int j = 0; j < 4; ++j) {
    sum += static_cast<int64_t>(static_cast<uint8_t>(a >> (8 * j))) * static_cast<int8_t>(b >> (8 * j));
  }
  return wrap(DType::i32(), u(sum));
}

// acc + high product + low product of two words of bf16, in f32.
double dot2(double acc, int64_t a, int64_t b) {
  const auto half = [](int64_t word, int shift) { return bf16_to_f32(static_cast<uint16_t>(u(word) >> shift)); };
  const float sum = static_cast<float>(acc) + half(a, 16) * half(b, 16);
  return sum + half(a, 0) * half(b, 0);
}

void eval_math(const Program& p, const ENode& n, Frame& frame, Slot* out) {
  const MathOp op = static_cast<MathOp>(n.op);
  auto arg = [&](size_t k) { return &frame.slots[static_cast<size_t>(p.exprs[static_cast<size_t>(n.args[k])].out)]; };
  const Slot* a = arg(0);
  for (int i = 0; i < n.type.lanes; ++i) {
    if (op == MathOp::kPopcount) {
      const uint64_t mask = n.type.bits == 64 ? ~uint64_t{0} : (uint64_t{1} << n.type.bits) - 1;
      out[i].i = std::popcount(u(a[i].i) & mask);
    } else if (op == MathOp::kDot4) {
      out[i].i = dot4(a[i].i, arg(1)[i].i, arg(2)[i].i);
    } else if (op == MathOp::kDot2) {
      out[i].f = dot2(a[i].f, arg(1)[i].i, arg(2)[i].i);
    } else if (op == MathOp::kFma) {
      out[i].f = fused(n.type, a[i].f, arg(1)[i].f, arg(2)[i].f);
    } else if (op == MathOp::kAbs && !n.type.is_float()) {
      out[i].i = n.type.is_int() && a[i].i < 0 ? wrap(n.type, -u(a[i].i)) : a[i].i;
    } else {
      out[i].f = rounded(n.type, math_value(op, a[i].f));
    }
  }
}

// Runs the instruction's meaning on buffers that hold the arguments and the result.
void eval_instruction(const Program& p, const ENode& n, Frame& frame) {
  const Program& meaning = *n.meaning;
  Frame inner;
  inner.slots = meaning.initial;
  inner.views.resize(meaning.buffers.size());
  std::vector<std::vector<uint8_t>> storage(n.args.size() + 1);
  for (size_t k = 0; k <= n.args.size(); ++k) {
    const bool is_result = k == n.args.size();
    const ENode* a = is_result ? &n : &p.exprs[static_cast<size_t>(n.args[k])];
    storage[k].resize(static_cast<size_t>(a->type.bytes()));
    if (!is_result) encode(a->type, &frame.slots[static_cast<size_t>(a->out)], a->type.lanes, storage[k].data());
    inner.views[k].data = storage[k].data();
    inner.views[k].bytes = a->type.bytes();
  }
  bind_parameters(meaning, inner);
  run(meaning, inner);
  decode(n.type, storage.back().data(), n.type.lanes, &frame.slots[static_cast<size_t>(n.out)]);
}

// ---- Memory

void eval_load(const Program& p, const ENode& n, Frame& frame) {
  const BufferInfo& info = p.buffers[static_cast<size_t>(n.buffer)];
  const View& view = frame.views[static_cast<size_t>(n.buffer)];
  const Slot* predicate = nullptr;
  if (n.predicate >= 0) {
    predicate = &frame.slots[static_cast<size_t>(p.exprs[static_cast<size_t>(n.predicate)].out)];
  }
  Slot* out = &frame.slots[static_cast<size_t>(n.out)];
  for (int lane = 0; lane < n.type.lanes; ++lane) {
    if (predicate && !predicate[lane].i) {
      out[lane].i = 0;  // the bits of 0.0, too
      continue;
    }
    decode(info.type, view.data + element_offset(p, info, n.args, lane, frame), 1, out + lane);
  }
}

void eval_load_bits(const Program& p, const ENode& n, Frame& frame) {
  const BufferInfo& info = p.buffers[static_cast<size_t>(n.buffer)];
  const View& view = frame.views[static_cast<size_t>(n.buffer)];
  const int64_t offset = element_offset(p, info, n.args, 0, frame);
  if (offset + n.type.bytes() > view.bytes) {
    trap("load_bits of {} bytes at byte {} of buffer {}, which has {}", n.type.bytes(), offset, info.buffer->name,
         view.bytes);
  }
  decode(n.type, view.data + offset, n.type.lanes, &frame.slots[static_cast<size_t>(n.out)]);
}

void eval_reduce(const ENode& n, const Slot* a, Slot* out) {
  static constexpr BinaryOp kOps[] = {BinaryOp::kAdd, BinaryOp::kMin, BinaryOp::kMax};
  const BinaryOp op = kOps[n.op];
  Slot acc = a[0];
  for (int i = 1; i < n.operand.lanes; ++i) {
    if (n.type.is_float()) {
      acc.f = float_arithmetic(op, n.type, acc.f, a[i].f);
    } else {
      acc.i = int_binary(op, n.type, acc.i, a[i].i);
    }
  }
  *out = acc;
}

void eval_shuffle(const Program& p, const ENode& n, Frame& frame, Slot* out) {
  for (size_t i = 0; i < n.lanes.size(); ++i) {
    int lane = n.lanes[i];
    for (int arg : n.args) {
      const ENode& v = p.exprs[static_cast<size_t>(arg)];
      if (lane < v.type.lanes) {
        out[i] = frame.slots[static_cast<size_t>(v.out) + static_cast<size_t>(lane)];
        break;
      }
      lane -= v.type.lanes;
    }
  }
}

void eval_unary(const ENode& n, const Slot* a, Slot* out) {
  const DType t = n.type;
  for (int i = 0; i < t.lanes; ++i) {
    if (static_cast<UnaryOp>(n.op) == UnaryOp::kNeg) {
      if (t.is_float()) {
        out[i].f = -a[i].f;
      } else {
        out[i].i = wrap(t, -u(a[i].i));
      }
    } else {
      out[i].i = t.is_bool() ? !a[i].i : wrap(t, ~u(a[i].i));
    }
  }
}

}  // namespace

void encode(DType type, const Slot* from, int lanes, uint8_t* to) {
  for (int i = 0; i < lanes; ++i, to += type.element_bytes()) {
    if (!type.is_float()) {
      std::memcpy(to, &from[i].i, static_cast<size_t>(type.element_bytes()));  // little endian hosts only, as the IR
    } else if (type.bits == 64) {
      std::memcpy(to, &from[i].f, 8);
    } else if (type.bits == 32) {
      const float f = static_cast<float>(from[i].f);
      std::memcpy(to, &f, 4);
    } else {
      const float f = static_cast<float>(from[i].f);
      const uint16_t h = type.is_bfloat() ? f32_to_bf16(f) : f32_to_f16(f);
      std::memcpy(to, &h, 2);
    }
  }
}

void decode(DType type, const uint8_t* from, int lanes, Slot* to) {
  for (int i = 0; i < lanes; ++i, from += type.element_bytes()) {
    if (!type.is_float()) {
      uint64_t v = 0;
      std::memcpy(&v, from, static_cast<size_t>(type.element_bytes()));
      to[i].i = wrap(type, v);
    } else if (type.bits == 64) {
      std::memcpy(&to[i].f, from, 8);
    } else if (type.bits == 32) {
      float f;
      std::memcpy(&f, from, 4);
      to[i].f = f;
    } else {
      uint16_t h;
      std::memcpy(&h, from, 2);
      to[i].f = type.is_bfloat() ? bf16_to_f32(h) : f16_to_f32(h);
    }
  }
}

int64_t element_offset(const Program& p, const BufferInfo& info, const std::vector<int>& indices, int lane,
                       const Frame& frame) {
  int64_t at = 0;
  for (size_t d = 0; d < indices.size(); ++d) {
    const ENode& index = p.exprs[static_cast<size_t>(indices[d])];
    const int64_t i =
        frame.slots[static_cast<size_t>(index.out) + static_cast<size_t>(index.type.lanes > 1 ? lane : 0)].i;
    const int64_t extent = frame.slots[static_cast<size_t>(info.dims) + d].i;
    if (i < 0 || i >= extent) {
      trap("index {} of dimension {} of buffer {} is outside [0, {})", i, d, info.buffer->name, extent);
    }
    at = at * extent + i;
  }
  return at * info.type.element_bytes();
}

void eval(const Program& p, int id, Frame& frame) {
  const ENode& n = p.exprs[static_cast<size_t>(id)];
  if (n.kind == EKind::kValue) return;
  for (int a : n.args) eval(p, a, frame);
  if (n.predicate >= 0) eval(p, n.predicate, frame);
  Slot* out = &frame.slots[static_cast<size_t>(n.out)];
  auto arg = [&](size_t k) { return &frame.slots[static_cast<size_t>(p.exprs[static_cast<size_t>(n.args[k])].out)]; };
  switch (n.kind) {
    case EKind::kValue:
      break;
    case EKind::kUnary:
      eval_unary(n, arg(0), out);
      break;
    case EKind::kBinary:
      eval_binary(n, arg(0), arg(1), out);
      break;
    case EKind::kCast:
      eval_cast(n, arg(0), out);
      break;
    case EKind::kReinterpret: {
      uint8_t local[512];
      std::vector<uint8_t> large(n.type.bytes() > 512 ? static_cast<size_t>(n.type.bytes()) : 0);
      uint8_t* bytes = large.empty() ? local : large.data();
      encode(n.operand, arg(0), n.operand.lanes, bytes);
      decode(n.type, bytes, n.type.lanes, out);
      break;
    }
    case EKind::kSelect:
      for (int i = 0; i < n.type.lanes; ++i) out[i] = arg(0)[i].i ? arg(1)[i] : arg(2)[i];
      break;
    case EKind::kLoad:
      eval_load(p, n, frame);
      break;
    case EKind::kLoadBits:
      eval_load_bits(p, n, frame);
      break;
    case EKind::kRamp: {
      uint64_t v = u(arg(0)->i);
      for (int i = 0; i < n.type.lanes; ++i, v += u(arg(1)->i)) out[i].i = wrap(n.type, v);
      break;
    }
    case EKind::kBroadcast:
      for (int i = 0; i < n.type.lanes; ++i) out[i] = *arg(0);
      break;
    case EKind::kShuffle:
      eval_shuffle(p, n, frame, out);
      break;
    case EKind::kVectorReduce:
      eval_reduce(n, arg(0), out);
      break;
    case EKind::kMath:
      eval_math(p, n, frame, out);
      break;
    case EKind::kInstruction:
      eval_instruction(p, n, frame);
      break;
  }
}

}  // namespace mlc::ir::interp
