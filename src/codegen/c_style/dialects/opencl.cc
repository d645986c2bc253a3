// OpenCL C 1.2 with the full profile. 16-bit floats are kept as ushort: arithmetic on them needs an extension that many
// devices lack, conversion does not.
#include "codegen/c_style/dialects/list.h"

namespace mlc::codegen::dialects {
namespace {

constexpr const char* kPrelude = R"(#pragma OPENCL FP_CONTRACT OFF
float mlc_half_to_float(ushort h) { return vload_half(0, (const __private half*)&h); }
ushort mlc_float_to_half(float f) { ushort h; vstore_half_rte(f, 0, (__private half*)&h); return h; }
#define MLC_FLOOR_DIV(T) \
  T mlc_floor_div_##T(T a, T b) { T q = a / b, r = a - q * b; return r != 0 && ((r ^ b) < 0) ? q - 1 : q; } \
  T mlc_floor_mod_##T(T a, T b) { T r = a % b; return r != 0 && ((r ^ b) < 0) ? r + b : r; }
MLC_FLOOR_DIV(char)
MLC_FLOOR_DIV(short)
MLC_FLOOR_DIV(int)
MLC_FLOOR_DIV(long)
#define MLC_SATURATE(F, T, LOW, HIGH, MIN, MAX) \
  T mlc_##F##_to_##T(F x) { return x != x ? (T)0 : x <= (F)LOW ? MIN : x >= (F)HIGH ? MAX : (T)x; }
#define MLC_SATURATE_ALL(F) \
  MLC_SATURATE(F, char, -128, 128, CHAR_MIN, CHAR_MAX) \
  MLC_SATURATE(F, uchar, 0, 256, (uchar)0, UCHAR_MAX) \
  MLC_SATURATE(F, short, -32768, 32768, SHRT_MIN, SHRT_MAX) \
  MLC_SATURATE(F, ushort, 0, 65536, (ushort)0, USHRT_MAX) \
  MLC_SATURATE(F, int, -0x1p31f, 0x1p31f, INT_MIN, INT_MAX) \
  MLC_SATURATE(F, uint, 0, 0x1p32f, 0u, UINT_MAX) \
  MLC_SATURATE(F, long, -0x1p63f, 0x1p63f, LONG_MIN, LONG_MAX) \
  MLC_SATURATE(F, ulong, 0, 0x1p64f, 0ul, ULONG_MAX)
MLC_SATURATE_ALL(float)
)";
constexpr const char* kDoublePrelude = R"(#pragma OPENCL EXTENSION cl_khr_fp64 : enable
MLC_SATURATE_ALL(double)
)";

CDialect make() {
  CDialect d{};
  d.name = "OpenCL C";
  d.kind = target::Kind::kOpencl;
  d.types = {{DType::boolean(), "bool", "uchar", nullptr, ""}, {DType::i8(), "char", "char", "uint", ""},
             {DType::u8(), "uchar", "uchar", "uint", ""},      {DType::i16(), "short", "short", "uint", ""},
             {DType::u16(), "ushort", "ushort", "uint", ""},   {DType::i32(), "int", "int", "uint", ""},
             {DType::u32(), "uint", "uint", "uint", "U"},      {DType::i64(), "long", "long", "ulong", "L"},
             {DType::u64(), "ulong", "ulong", "ulong", "UL"},  {DType::f16(), "ushort", "ushort", nullptr, ""},
             {DType::bf16(), "ushort", "ushort", nullptr, ""}, {DType::f32(), "float", "float", nullptr, "f"},
             {DType::f64(), "double", "double", nullptr, ""}};
  d.vector_type = "{type}{lanes}";
  d.prelude = kPrelude;
  d.double_prelude = kDoublePrelude;
  d.kernel = "__kernel __attribute__((reqd_work_group_size({x}, {y}, {z})))\nvoid {name}({params}) {{";
  d.buffer_param = "__global {const}{type}*{restrict} {name}";
  d.size_param = "const {type} {name}";
  d.const_word = "const ";
  d.restrict_word = " restrict";
  d.shared_array = "__local {type} {name}[{count}];";
  d.local_array = "{type} {name}[{count}];";
  d.pointer_to_scope[0] = "__global {type}*";
  d.pointer_to_scope[1] = "__local {type}*";
  d.pointer_to_scope[2] = "__private {type}*";
  for (int i = 0; i < 3; ++i) {
    static constexpr const char* kBlock[] = {"get_group_id(0)", "get_group_id(1)", "get_group_id(2)"};
    static constexpr const char* kThread[] = {"get_local_id(0)", "get_local_id(1)", "get_local_id(2)"};
    d.block_index[i] = kBlock[i];
    d.thread_index[i] = kThread[i];
  }
  d.barrier_shared = "barrier(CLK_LOCAL_MEM_FENCE);";
  d.barrier_global = "barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);";
  d.functions = {{"exp", "exp({0})", nullptr},
                 {"exp2", "exp2({0})", nullptr},
                 {"log", "log({0})", nullptr},
                 {"sqrt", "sqrt({0})", nullptr},
                 {"rsqrt", "rsqrt({0})", nullptr},
                 {"abs", "fabs({0})", "({type})abs({0})"},
                 {"floor", "floor({0})", nullptr},
                 {"ceil", "ceil({0})", nullptr},
                 {"round", "rint({0})", nullptr},
                 {"tanh", "tanh({0})", nullptr},
                 {"sin", "sin({0})", nullptr},
                 {"cos", "cos({0})", nullptr},
                 {"fma", "fma({0}, {1}, {2})", nullptr},
                 {"popcount", nullptr, "popcount({0})"},
                 {"min", "fmin({0}, {1})", "min({0}, {1})"},
                 {"max", "fmax({0}, {1})", "max({0}, {1})"}};
  d.int_to_float = "(({type}){0})";
  d.float_to_int = "mlc_{from}_to_{type}({0})";
  d.bits = "as_{type}({0})";
  d.half_to_float = "mlc_half_to_float({0})";
  d.float_to_half = "mlc_float_to_half({0})";
  d.floor_div = "mlc_floor_div_{type}({0}, {1})";
  d.floor_mod = "mlc_floor_mod_{type}({0}, {1})";
  d.vector_load = "vload{lanes}(0, {pointer})";
  d.vector_store = "vstore{lanes}({value}, 0, {pointer});";
  d.splat = "({type})({0})";
  d.lane = "{0}.s{lane}";
  d.infinity = "INFINITY";
  d.nan = "NAN";
  d.reserved = {"auto",    "break",    "case",     "char",     "const", "continue", "default",   "do",        "double",
                "else",    "enum",     "extern",   "float",    "for",   "goto",     "if",        "inline",    "int",
                "long",    "register", "restrict", "return",   "short", "signed",   "sizeof",    "static",    "struct",
                "switch",  "typedef",  "union",    "unsigned", "void",  "volatile", "while",     "kernel",    "global",
                "local",   "constant", "private",  "half",     "bool",  "uchar",    "ushort",    "uint",      "ulong",
                "barrier", "exp",      "exp2",     "log",      "sqrt",  "rsqrt",    "fabs",      "floor",     "ceil",
                "rint",    "tanh",     "sin",      "cos",      "fma",   "popcount", "fmin",      "fmax",      "min",
                "max",     "true",     "false",    "size_t",   "pipe",  "event_t",  "image2d_t", "sampler_t", "main"};
  return d;
}

}  // namespace

const CDialect& opencl() {
  static const CDialect* d = new CDialect(make());
  return *d;
}

}  // namespace mlc::codegen::dialects
