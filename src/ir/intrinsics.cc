#include "ir/intrinsics.h"

#include "ir/text.h"

namespace mlc::ir {

const MathIntrinsic* find_math(std::string_view name) {
  static const MathIntrinsic kTable[] = {
      {"exp", 1, 2.0},
      {"exp2", 1, 2.0},
      {"log", 1, 2.0},
      {"sqrt", 1, 0.5},
      {"rsqrt", 1, 2.0},
      {"abs", 1, 0.0},
      {"floor", 1, 0.0},
      {"ceil", 1, 0.0},
      {"round", 1, 0.0},
      {"tanh", 1, 4.0},
      {"sin", 1, 4.0},
      {"cos", 1, 4.0},
      {"fma", 3, 0.5},
      {"popcount", 1, 0.0, true},
      {"dot4_u8s8", 3, 0.0, true},
      {"dot4_u7s8", 3, 0.0, true},
      {"dot2_bf16", 3, 0.0, false, true},
  };
  for (const MathIntrinsic& m : kTable) {
    if (m.name == name) return &m;
  }
  return nullptr;
}

namespace {

PrimFunc parsed(const std::string& text) {
  Result<PrimFunc> f = parse_func(text, "intrinsic");
  MLC_CHECK(f, "{}", f.error().message);
  return std::move(*f);
}

// acc[i] + the sum over k < 4 of a's byte 4i+k times b's byte 4i+k, all in i32 lanes.
PrimFunc vpdpbusd(int lanes) {
  return parsed(fmt::format(R"(
func vpdpbusd(acc: i32[{0}], a: i32[{0}], b: i32[{0}], result: i32[{0}]) {{
  for i in 0 +: {0} {{
    result[i] = acc[i]
    for k in 0 +: 4 {{
      let shift: i32 = cast<i32>(k * 8) {{
        result[i] = result[i] + cast<i32>(cast<u8>(a[i] >> shift)) * cast<i32>(cast<i8>(b[i] >> shift))
      }}
    }}
  }}
}})",
                            lanes));
}

// The Arm dot products: the same on vectors of bytes.
PrimFunc arm_dot(const char* a, const char* b) {
  return parsed(fmt::format(R"(
func dot(acc: i32[4], a: {0}[16], b: {1}[16], result: i32[4]) {{
  for i in 0 +: 4 {{
    result[i] = acc[i]
    for k in 0 +: 4 {{
      result[i] = result[i] + cast<i32>(a[i * 4 + k]) * cast<i32>(b[i * 4 + k])
    }}
  }}
}})",
                            a, b));
}

// A 2 x 8 matrix of bytes times the transpose of another one.
PrimFunc arm_smmla() {
  return parsed(R"(
func smmla(acc: i32[4], a: i8[16], b: i8[16], result: i32[4]) {
  for i in 0 +: 2 {
    for j in 0 +: 2 {
      result[i * 2 + j] = acc[i * 2 + j]
      for k in 0 +: 8 {
        result[i * 2 + j] = result[i * 2 + j] + cast<i32>(a[i * 8 + k]) * cast<i32>(b[j * 8 + k])
      }
    }
  }
})");
}

// Pairs of products, saturated to i16.
PrimFunc pmaddubsw() {
  return parsed(R"(
func pmaddubsw(a: u8[32], b: i8[32], result: i16[16]) {
  for i in 0 +: 16 {
    let even: i32 = cast<i32>(a[i * 2]) * cast<i32>(b[i * 2]) {
      let odd: i32 = cast<i32>(a[i * 2 + 1]) * cast<i32>(b[i * 2 + 1]) {
        result[i] = cast<i16>(max(min(even + odd, 32767i32), -32768i32))
      }
    }
  }
})");
}

PrimFunc pmaddwd() {
  return parsed(R"(
func pmaddwd(a: i16[16], b: i16[16], result: i32[8]) {
  for i in 0 +: 8 {
    let even: i32 = cast<i32>(a[i * 2]) * cast<i32>(b[i * 2]) {
      result[i] = even + cast<i32>(a[i * 2 + 1]) * cast<i32>(b[i * 2 + 1])
    }
  }
})");
}

// The odd product is added first; products of two bf16 are exact in f32, so that fused or not is the same.
PrimFunc vdpbf16ps(int lanes) {
  return parsed(fmt::format(R"(
func vdpbf16ps(acc: f32[{0}], a: bf16[{1}], b: bf16[{1}], result: f32[{0}]) {{
  for i in 0 +: {0} {{
    result[i] = acc[i] + cast<f32>(a[i * 2 + 1]) * cast<f32>(b[i * 2 + 1])
    result[i] = result[i] + cast<f32>(a[i * 2]) * cast<f32>(b[i * 2])
  }}
}})",
                            lanes, lanes * 2));
}

constexpr const char* kVnni256 = "avxvnni|avx512vnni+avx512vl";

std::vector<HwInstruction> make_instructions() {
  const DType i32 = DType::i32(), f32 = DType::f32(), bf16 = DType::bf16();
  const DType i32x4 = i32.with_lanes(4), i32x8 = i32.with_lanes(8), i32x16 = i32.with_lanes(16);
  const DType i8x16 = DType::i8().with_lanes(16), u8x16 = DType::u8().with_lanes(16);
  const DType i16x16 = DType::i16().with_lanes(16);
  std::vector<HwInstruction> v;
  v.push_back({"x86.vpdpbusd.512",
               "llvm.x86.avx512.vpdpbusd.512",
               "avx512vnni",
               i32x16,
               {i32x16, i32x16, i32x16},
               vpdpbusd(16)});
  v.push_back(
      {"x86.vpdpbusd.256", "llvm.x86.avx512.vpdpbusd.256", kVnni256, i32x8, {i32x8, i32x8, i32x8}, vpdpbusd(8)});
  v.push_back(
      {"x86.vpdpbusd.128", "llvm.x86.avx512.vpdpbusd.128", kVnni256, i32x4, {i32x4, i32x4, i32x4}, vpdpbusd(4)});
  v.push_back({"x86.pmaddubsw.256",
               "llvm.x86.avx2.pmadd.ub.sw",
               "avx2",
               i16x16,
               {DType::u8().with_lanes(32), DType::i8().with_lanes(32)},
               pmaddubsw()});
  v.push_back({"x86.pmaddwd.256", "llvm.x86.avx2.pmadd.wd", "avx2", i32x8, {i16x16, i16x16}, pmaddwd()});
  v.push_back({"x86.vdpbf16ps.512",
               "llvm.x86.avx512bf16.dpbf16ps.512",
               "avx512bf16",
               f32.with_lanes(16),
               {f32.with_lanes(16), bf16.with_lanes(32), bf16.with_lanes(32)},
               vdpbf16ps(16)});
  v.push_back({"x86.vdpbf16ps.256",
               "llvm.x86.avx512bf16.dpbf16ps.256",
               "avx512bf16+avx512vl",
               f32.with_lanes(8),
               {f32.with_lanes(8), bf16.with_lanes(16), bf16.with_lanes(16)},
               vdpbf16ps(8)});
  v.push_back(
      {"arm.sdot", "llvm.aarch64.neon.sdot.v4i32.v16i8", "dotprod", i32x4, {i32x4, i8x16, i8x16}, arm_dot("i8", "i8")});
  v.push_back(
      {"arm.udot", "llvm.aarch64.neon.udot.v4i32.v16i8", "dotprod", i32x4, {i32x4, u8x16, u8x16}, arm_dot("u8", "u8")});
  v.push_back(
      {"arm.usdot", "llvm.aarch64.neon.usdot.v4i32.v16i8", "i8mm", i32x4, {i32x4, u8x16, i8x16}, arm_dot("u8", "i8")});
  v.push_back({"arm.smmla", "llvm.aarch64.neon.smmla.v4i32.v16i8", "i8mm", i32x4, {i32x4, i8x16, i8x16}, arm_smmla()});
  return v;
}

// The loop that tensorize looks for.
std::string dot_desc(int lanes, int products, const char* a, const char* b, const char* c) {
  return fmt::format(R"(
func dot(A: {2}[{0}, {1}], B: {3}[{1}], C: {4}[{0}]) {{
  for n in 0 +: {0} {{
    for k in 0 +: {1} {{
      block dot(spatial vn in {0} = n, reduce vk in {1} = k) {{
        reads C[vn +: 1], A[vn +: 1, vk +: 1], B[vk +: 1]
        writes C[vn +: 1]
        C[vn] = C[vn] + cast<{4}>(A[vn, vk]) * cast<{4}>(B[vk])
      }}
    }}
  }}
}})",
                     lanes, products, a, b, c);
}
// The same parameters around one line of vector code.
std::string dot_impl(int lanes, int products, const char* a, const char* b, const char* c, const std::string& value) {
  return fmt::format("func dot(A: {2}[{0}, {1}], B: {3}[{1}], C: {4}[{0}]) {{\n  C[ramp(0, 1, {0})] = {5}\n}}\n", lanes,
                     products, a, b, c, value);
}

constexpr const char* kAtMost127 = "every element of A is at most 127";

std::vector<TensorIntrin> make_tensor_intrins() {
  std::vector<TensorIntrin> v;
  auto add = [&](const char* name, const char* feature, int lanes, const char* a, const char* value,
                 const char* precondition = "") {
    v.push_back({name, feature, parsed(dot_desc(lanes, 4, a, "i8", "i32")),
                 parsed(dot_impl(lanes, 4, a, "i8", "i32", value)), precondition});
  };
  add("dot_u8s8_vnni512", "avx512vnni", 16, "u8",
      "@x86.vpdpbusd.512<i32x16>(C[ramp(0, 1, 16)], load_bits<i32x16>(A[0, 0]), broadcast(load_bits<i32>(B[0]), 16))");
  add("dot_u8s8_vnni256", kVnni256, 8, "u8",
      "@x86.vpdpbusd.256<i32x8>(C[ramp(0, 1, 8)], load_bits<i32x8>(A[0, 0]), broadcast(load_bits<i32>(B[0]), 8))");
  add("dot_u4s8_avx2", "avx2", 8, "u8",
      "C[ramp(0, 1, 8)] + @x86.pmaddwd.256<i32x8>(@x86.pmaddubsw.256<i16x16>(load_bits<u8x32>(A[0, 0]), "
      "reinterpret<i8x32>(broadcast(load_bits<i32>(B[0]), 8))), broadcast(1i16, 16))",
      kAtMost127);
  add("dot_u8s8_arm_i8mm", "i8mm", 4, "u8",
      "@arm.usdot<i32x4>(C[ramp(0, 1, 4)], load_bits<u8x16>(A[0, 0]), "
      "reinterpret<i8x16>(broadcast(load_bits<i32>(B[0]), 4)))");
  add("dot_u4s8_arm_dot", "dotprod", 4, "u8",
      "@arm.sdot<i32x4>(C[ramp(0, 1, 4)], load_bits<i8x16>(A[0, 0]), "
      "reinterpret<i8x16>(broadcast(load_bits<i32>(B[0]), 4)))",
      kAtMost127);
  add("dot_s8s8_arm_dot", "dotprod", 4, "i8",
      "@arm.sdot<i32x4>(C[ramp(0, 1, 4)], load_bits<i8x16>(A[0, 0]), "
      "reinterpret<i8x16>(broadcast(load_bits<i32>(B[0]), 4)))");
  v.push_back({"dot_bf16_avx512", "avx512bf16", parsed(dot_desc(16, 2, "bf16", "bf16", "f32")),
               parsed(dot_impl(16, 2, "bf16", "bf16", "f32",
                               "@x86.vdpbf16ps.512<f32x16>(C[ramp(0, 1, 16)], load_bits<bf16x32>(A[0, 0]), "
                               "reinterpret<bf16x32>(broadcast(load_bits<i32>(B[0]), 16)))")),
               ""});
  return v;
}

}  // namespace

const std::vector<HwInstruction>& all_instructions() {
  static const std::vector<HwInstruction> kAll = make_instructions();
  return kAll;
}
const HwInstruction* find_instruction(std::string_view name) {
  for (const HwInstruction& h : all_instructions()) {
    if (h.name == name) return &h;
  }
  return nullptr;
}

const std::vector<TensorIntrin>& all_tensor_intrins() {
  static const std::vector<TensorIntrin> kAll = make_tensor_intrins();
  return kAll;
}
const TensorIntrin* find_tensor_intrin(std::string_view name) {
  for (const TensorIntrin& t : all_tensor_intrins()) {
    if (t.name == name) return &t;
  }
  return nullptr;
}

bool feature_satisfied(std::string_view feature, const std::function<bool(std::string_view)>& has) {
  while (true) {
    const size_t bar = feature.find('|');
    std::string_view needed = feature.substr(0, bar);
    bool all = true;
    while (!needed.empty()) {
      const size_t plus = needed.find('+');
      all = all && has(needed.substr(0, plus));
      needed = plus == std::string_view::npos ? std::string_view() : needed.substr(plus + 1);
    }
    if (all) return true;
    if (bar == std::string_view::npos) return false;
    feature = feature.substr(bar + 1);
  }
}

}  // namespace mlc::ir
