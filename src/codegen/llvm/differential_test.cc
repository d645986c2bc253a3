// The interpreter and LLVM agree, for the host, for the oldest x86-64 and for everything in between.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <sstream>

#include "arith/simplify.h"
#include "base/knobs.h"
#include "codegen/llvm/test_util.h"
#include "ir/intrinsics.h"
#include "ir/random_program.h"
#include "ir/visit.h"
#include "lower/pipeline.h"

namespace mlc::codegen {
namespace {

using namespace testing;  // NOLINT
using target::Target;

ir::PrimFunc parse(const std::string& text) {
  auto f = ir::parse_func(text);
  MLC_CHECK(f, "{}\n{}", f.error().message, text);
  return *f;
}

ir::Module lower_for(const ir::PrimFunc& f, const Target& target) {
  auto m = lower::run(module_of(f), target);
  MLC_CHECK(m, "{}", m.error().message);
  return *m;
}

// Of these targets the ones that this machine can run.
std::vector<Target> runnable(const std::vector<const char*>& texts) {
  std::vector<Target> targets;
  for (const char* text : texts) {
    const Target t = Target::parse(text).value();
    if (target::check_runs_on(t, host(), "test")) targets.push_back(t);
  }
  return targets;
}

std::vector<Bytes> random_buffers(const ir::PrimFunc& f, const std::vector<int64_t>& sizes, uint32_t seed) {
  std::mt19937 rng(seed);
  ir::VarMap values;
  for (size_t i = 0; i < sizes.size(); ++i) values[f.sizes[i]] = ir::Expr(sizes[i]);
  std::vector<Bytes> buffers;
  for (const auto& b : f.buffers) {
    int64_t n = 1;
    for (const auto& d : b->shape) n *= *ir::as_const_int(arith::simplify(ir::substitute(d, values)));
    Bytes bytes(static_cast<size_t>(n * b->dtype.element_bytes()));
    for (size_t i = 0; i < bytes.size(); ++i)
      bytes.data()[i] = static_cast<uint8_t>(rng() & (b->dtype.is_bool() ? 1 : 255));
    std::uniform_real_distribution<double> real(-3, 3);
    for (int64_t i = 0; i < n; ++i) {
      if (b->dtype == DType::f32()) bytes.as<float>()[i] = static_cast<float>(real(rng));
      if (b->dtype == DType::f64()) bytes.as<double>()[i] = real(rng);
      if (b->dtype == DType::f16()) bytes.as<uint16_t>()[i] = f32_to_f16(static_cast<float>(real(rng)));
      if (b->dtype == DType::bf16()) bytes.as<uint16_t>()[i] = f32_to_bf16(static_cast<float>(real(rng)));
    }
    buffers.push_back(std::move(bytes));
  }
  return buffers;
}

double element(Bytes& b, DType t, int64_t i) {
  if (t.is_bfloat()) return bf16_to_f32(b.as<uint16_t>()[i]);
  if (t.bits == 16) return f16_to_f32(b.as<uint16_t>()[i]);
  return t.bits == 32 ? static_cast<double>(b.as<float>()[i]) : b.as<double>()[i];
}

// Equal bits, or floats within `tolerance` (relative; NaNs are one value).
void expect_equal(const ir::PrimFunc& f, std::vector<Bytes>& want, std::vector<Bytes>& got, double tolerance,
                  const std::string& where) {
  for (size_t k = 0; k < want.size(); ++k) {
    const DType t = f.buffers[k]->dtype;
    ASSERT_TRUE(got[k].tail_intact()) << where << ": wrote behind " << f.buffers[k]->name;
    if (std::memcmp(want[k].data(), got[k].data(), want[k].size()) == 0) continue;
    const auto n = static_cast<int64_t>(want[k].size()) / t.element_bytes();
    for (int64_t i = 0; i < n; ++i) {
      const std::string at = fmt::format("{}: {}[{}]", where, f.buffers[k]->name, i);
      if (!t.is_float()) {
        const auto bytes = static_cast<size_t>(t.element_bytes());
        const auto offset = static_cast<size_t>(i) * bytes;
        ASSERT_EQ(std::memcmp(want[k].data() + offset, got[k].data() + offset, bytes), 0) << at;
        continue;
      }
      const double x = element(want[k], t, i), y = element(got[k], t, i);
      if (x == y || (std::isnan(x) && std::isnan(y))) continue;
      ASSERT_LE(std::fabs(x - y), tolerance * std::fabs(x) + (tolerance > 0 ? 1e-37 : 0))
          << at << ": " << x << " and " << y;
    }
  }
}

// `f` through the interpreter and through lowering and LLVM for every target.
void expect_agreement_on(const std::vector<Target>& targets, const ir::PrimFunc& f, const std::vector<int64_t>& sizes,
                         double tolerance = 0, uint32_t seed = 1) {
  auto inputs = random_buffers(f, sizes, seed);
  auto want = inputs;
  for (size_t i = 0; i < want.size(); ++i) want[i].copy_from(inputs[i]);
  auto interpreted = run_interpreter(f, want, sizes);
  ASSERT_TRUE(interpreted) << interpreted.error().message;
  for (const Target& t : targets) {
    auto lib = JitLibrary::compile(lower_for(f, t), t);
    ASSERT_TRUE(lib) << t.cpu << ": " << lib.error().message;
    for (int workers : {1, 3}) {
      std::vector<Bytes> got;
      for (auto& b : inputs) {
        got.emplace_back(b.size());
        got.back().copy_from(b);
      }
      run_kernel(lib->kernel(f.name), got, sizes, workers);
      expect_equal(f, want, got, tolerance, fmt::format("{} on {} with {} workers", f.name, t.cpu, workers));
    }
  }
}

void expect_agreement(const ir::PrimFunc& f, const std::vector<int64_t>& sizes, double tolerance = 0) {
  std::vector<Target> targets = runnable({"x86_64-linux-gnu"});
  targets.push_back(host());
  expect_agreement_on(targets, f, sizes, tolerance);
}

TEST(Differential, IntegerOperations) {
  for (const char* t : {"i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64"}) {
    std::string body;
    int row = 0;
    const auto line = [&](const std::string& e) { body += fmt::format("    C[{}, i] = {}\n", row++, e); };
    const std::string one = std::string("1") + t;
    for (const char* op : {"+", "-", "*", "&", "|", "^", "<<", ">>"}) line(std::string("A[i] ") + op + " B[i]");
    line("A[i] // (B[i] | " + one + ")");
    line("A[i] % (B[i] | " + one + ")");
    line(std::string("A[i] // 7") + t);
    line(std::string("A[i] % 8") + t);
    line(std::string("A[i] // 16") + t);
    line("min(A[i], B[i])");
    line("max(A[i], B[i])");
    line("!(A[i]) - -(B[i])");
    line(fmt::format("@popcount<{}>(A[i]) + @abs<{}>(B[i])", t, t));
    for (const char* op : {"==", "!=", "<", "<=", ">", ">="}) {
      line(fmt::format("cast<{}>(A[i] {} B[i])", t, op));
    }
    for (const char* kind : {"", " vectorized"}) {
      const std::string text =
          fmt::format("func ints(A: {0}[64], B: {0}[64], C: {0}[{1}, 64]) {{\n  for i in 0 +: 64{2} {{\n{3}  }}\n}}", t,
                      row, kind, body);
      expect_agreement(parse(text), {});
    }
  }
}

TEST(Differential, FloatOperations) {
  for (const char* t : {"f32", "f64", "f16", "bf16"}) {
    std::string body;
    int row = 0;
    const auto line = [&](const std::string& e) { body += fmt::format("    C[{}, i] = {}\n", row++, e); };
    for (const char* op : {"+", "-", "*", "/"}) line(std::string("A[i] ") + op + " B[i]");
    line("min(A[i], B[i])");
    line("max(A[i], A[0] / A[0] - A[i])");
    line("select(A[i] < B[i], A[i], -(B[i]))");
    line("A[i] * B[i] + A[i]");  // not contracted
    for (const char* fn : {"abs", "floor", "ceil", "round"})
      line(fmt::format("@{}<{}>(A[i] * cast<{}>(3f32))", fn, t, t));
    line(fmt::format("@sqrt<{}>(@abs<{}>(A[i]))", t, t));
    for (const char* kind : {"", " vectorized"}) {
      const std::string text =
          fmt::format("func floats(A: {0}[64], B: {0}[64], C: {0}[{1}, 64]) {{\n  for i in 0 +: 64{2} {{\n{3}  }}\n}}",
                      t, row, kind, body);
      expect_agreement(parse(text), {});
    }
  }
}

TEST(Differential, FusedMultiplyAddRoundsOnce) {
  for (const char* kind : {"", " vectorized"}) {
    expect_agreement(
        parse(fmt::format(
            "func fused(A: f32[64], B: f32[64], C: f32[2, 64]) {{ for i in 0 +: 64{} {{ "
            "C[0, i] = @fma<f32>(A[i], B[i], -(A[i] * B[i])) C[1, i] = @fma<f32>(A[i], B[i], A[63 - i]) }} }}",
            kind)),
        {});
  }
}

TEST(Differential, Casts) {
  for (const char* from : {"bool", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f16", "bf16", "f32", "f64"}) {
    for (const char* kind : {"", " vectorized"}) {
      std::string params, body;
      for (const char* to :
           {"bool", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f16", "bf16", "f32", "f64"}) {
        params += fmt::format(", C_{0}: {0}[64]", to);
        body += fmt::format("    C_{0}[i] = cast<{0}>(A[i])\n", to);
      }
      expect_agreement(parse(fmt::format("func casts(A: {}[64]{}) {{\n  for i in 0 +: 64{} {{\n{}  }}\n}}", from,
                                         params, kind, body)),
                       {});
    }
  }
}

// Saturation, NaN and infinities of float -> int.
TEST(Differential, CastsSaturate) {
  std::string params, body;
  for (const char* to : {"i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64"}) {
    params += fmt::format(", C_{0}: {0}[16], D_{0}: {0}[16]", to);
    body += fmt::format("    C_{0}[i] = cast<{0}>(T[i])\n", to);
    body += fmt::format("    D_{0}[i] = cast<{0}>(cast<f64>(T[i]) * 1.00000001f64)\n", to);
  }
  const char* values[] = {"0f32",     "-0.9f32",  "127.9f32",      "-128.9f32",      "255.5f32",      "-300f32",
                          "1e6f32",   "-1e6f32",  "2147483648f32", "-2147483648f32", "4294967296f32", "1e19f32",
                          "-1e19f32", "f32(nan)", "f32(inf)",      "f32(-inf)"};
  std::string fill;
  for (int i = 0; i < 16; ++i) fill += fmt::format("  T[{}] = {}\n", i, values[i]);
  for (const char* kind : {"", " vectorized"}) {
    expect_agreement(parse(fmt::format("func saturate(T: f32[16]{}) {{\n{}  for i in 0 +: 16{} {{\n{}  }}\n}}", params,
                                       fill, kind, body)),
                     {});
  }
}

TEST(Differential, ScheduledMatmul) {
  const char* text = R"(
func matmul<M>(A: f32[M, 24], B: f32[24, 32], C: f32[M, 32]) {
  for io in 0 +: (M + 3) // 4 parallel {
    alloc acc: f32[4, 32] local {
      for ii in 0 +: 4 unrolled { for j in 0 +: 2 unrolled { for v in 0 +: 16 vectorized { acc[ii, j * 16 + v] = 0f32 } } }
      for k in 0 +: 24 {
        for ii in 0 +: 4 unrolled {
          for j in 0 +: 2 unrolled {
            for v in 0 +: 16 vectorized {
              if io * 4 + ii < M {
                acc[ii, j * 16 + v] = @fma<f32>(A[io * 4 + ii, k], B[k, j * 16 + v], acc[ii, j * 16 + v])
              }
            }
          }
        }
      }
      for ii in 0 +: 4 unrolled { for j in 0 +: 2 unrolled { for v in 0 +: 16 vectorized {
        if io * 4 + ii < M { C[io * 4 + ii, j * 16 + v] = acc[ii, j * 16 + v] }
      } } }
    }
  }
})";
  for (int64_t m : {1, 4, 9}) expect_agreement(parse(text), {m});
}

TEST(Differential, DataDependentLoopsPrefetchAssumeAndPages) {
  expect_agreement(parse(R"(
func pages<n, p>(table: u8[n], pool: f32[256, 16], len: u8[1], C: f32[n, 16]) {
  assume p == 4
  for i in 0 +: n parallel {
    prefetch pool[cast<i64>(table[i]) + 100, 0] locality 1
    for v in 0 +: 16 vectorized { C[i, v] = 0f32 }
    for t in 0 +: cast<i64>(len[0]) % 5 {
      for v in 0 +: 16 vectorized { C[i, v] = C[i, v] + pool[(cast<i64>(table[i]) + t) % 256, v] }
    }
  }
})"),
                   {10, 4});
}

TEST(Differential, VectorNodes) {
  expect_agreement(parse(R"(
func vectors(A: f32[64], B: u8[64], I: i32[16], C: f32[8, 16], D: u32[16], E: i8[32], F: bool[16]) {
  C[0, ramp(0, 1, 16)] = A[ramp(15, -1, 16)]
  C[1, ramp(0, 1, 16)] = A[ramp(1, 3, 16)]
  C[2, ramp(15, -1, 16)] = shuffle([A[ramp(0, 1, 16)], A[ramp(16, 1, 16)]], [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23])
  C[3, ramp(0, 1, 16) where A[ramp(0, 1, 16)] > broadcast(0f32, 16)] = A[ramp(100, 1, 16) where broadcast(1, 16) < ramp(-20, 1, 16)] + A[ramp(16, 1, 16) where A[ramp(0, 1, 16)] > broadcast(0.5f32, 16)]
  C[4, 0] = reduce_add(A[ramp(0, 1, 16)])
  C[4, 1] = reduce_max(A[ramp(0, 1, 16)])
  C[4, 2] = cast<f32>(reduce_min(B[ramp(0, 1, 16)]))
  C[4, 3] = shuffle([A[ramp(0, 1, 4)], A[ramp(8, 1, 8)]], [9])
  C[5, ramp(0, 1, 16)] = A[cast<i64x16>(I[ramp(0, 1, 16)] & broadcast(63i32, 16))]
  C[6, cast<i64x16>((ramp(0i32, 5i32, 16)) & broadcast(15i32, 16))] = A[ramp(0, 1, 16)]
  D[ramp(0, 1, 16)] = load_bits<u32x16>(B[0]) ^ broadcast(load_bits<u32>(B[3]), 16)
  E[ramp(0, 1, 32)] = reinterpret<i8x32>(shuffle([load_bits<u32x8>(B[8])], [7, 6, 5, 4, 3, 2, 1, 0]))
  F[ramp(0, 1, 16)] = A[ramp(0, 1, 16)] < A[ramp(16, 1, 16)]
  C[7, ramp(0, 1, 16)] = select(F[ramp(0, 1, 16)], A[ramp(0, 1, 16)], broadcast(A[5 where A[0] < 100f32], 16))
})"),
                   {});
}

TEST(Differential, MathWithinItsBound) {
  for (const char* fn : {"exp", "exp2", "log", "tanh", "sin", "cos", "rsqrt"}) {
    for (const char* kind : {"", " vectorized"}) {
      expect_agreement(parse(fmt::format("func math(A: f32[64], C: f32[64]) {{ for i in 0 +: 64{} {{ C[i] = "
                                         "@{}<f32>(@abs<f32>(A[i]) * 7f32) }} }}",
                                         kind, fn)),
                       {}, 4 * 1.2e-7);
    }
  }
  for (const char* fn : {"exp", "exp2", "log", "tanh", "sin", "cos", "rsqrt"}) {
    const auto text = fmt::format(
        "func math(A: f64[64], C: f64[2, 64]) {{ for i in 0 +: 64 vectorized {{ C[0, i] = @{0}<f64>(@abs<f64>(A[i]) * "
        "7f64) "
        "C[1, i] = @{0}<f64>(@abs<f64>(A[i]) * 0.01f64) }} }}",
        fn);
    expect_agreement(parse(text), {}, 4 * 2.3e-16);
  }
  expect_agreement(parse("func math(A: f16[64], B: bf16[64], C: f16[64], D: bf16[64]) { for i in 0 +: 64 vectorized { "
                         "C[i] = @exp<f16>(A[i]) D[i] = @tanh<bf16>(B[i]) } }"),
                   {}, 1.0 / 128);
}

// Every hardware instruction of this machine, against its meaning.
TEST(Differential, HardwareInstructions) {
  int checked = 0;
  for (const auto& hw : ir::all_instructions()) {
    if (!ir::feature_satisfied(hw.feature, [](std::string_view f) { return host().has(f); })) continue;
    std::vector<ir::Buffer> buffers;
    std::vector<ir::Expr> args;
    const auto whole = [](int lanes) { return std::vector<ir::Expr>{ir::ramp(0, 1, lanes)}; };
    for (size_t i = 0; i < hw.args.size(); ++i) {
      buffers.push_back(ir::buffer("a" + std::to_string(i), hw.args[i].scalar(), {hw.args[i].lanes}));
      args.push_back(ir::load(buffers.back(), whole(hw.args[i].lanes)));
    }
    buffers.push_back(ir::buffer("c", hw.result.scalar(), {hw.result.lanes}));
    const ir::PrimFunc f{
        "hw", buffers, {}, ir::store(buffers.back(), whole(hw.result.lanes), ir::call(hw.result, hw.name, args)), {}};
    auto want = random_buffers(f, {}, 3);
    auto got = random_buffers(f, {}, 3);
    ASSERT_TRUE(run_interpreter(f, want, {})) << hw.name;
    auto lib = JitLibrary::compile(lower_for(f, host()), host());
    ASSERT_TRUE(lib) << hw.name << ": " << lib.error().message;
    run_kernel(lib->kernel("hw"), got, {});
    expect_equal(f, want, got, hw.result.is_float() ? 1e-6 : 0, hw.name);
    ++checked;
  }
  if (checked == 0) GTEST_SKIP() << "this machine has none of the instructions in the table";
}

TEST(Differential, DotProductsOnEveryTarget) {
  for (const char* name : {"dot4_u8s8", "dot4_u7s8"}) {
    for (int lanes : {1, 4, 8, 16, 32}) {
      const std::string index = lanes == 1 ? "0" : fmt::format("ramp(0, 1, {})", lanes);
      const std::string b = lanes == 1 ? "B[0]" : fmt::format("broadcast(B[0], {})", lanes);
      const std::string type = DType::i32().with_lanes(lanes).str();
      const std::string mask = lanes == 1 ? "2139062143i32" : fmt::format("broadcast(2139062143i32, {})", lanes);
      const std::string a =
          std::string(name) == "dot4_u7s8" ? fmt::format("A[{}] & {}", index, mask) : fmt::format("A[{}]", index);
      expect_agreement(
          parse(fmt::format("func dot(A: i32[{0}], B: i32[1], C: i32[{0}]) {{ C[{1}] = @{2}<{3}>(C[{1}], {4}, {5}) }}",
                            lanes, index, name, type, a, b)),
          {});
    }
  }
}

// A small tensorized kernel: 8 rows x 16 columns, int8. The activation must be a broadcast memory operand.
TEST(Codegen, VnniBroadcastsFoldIntoTheInstruction) {
  auto t = Target::parse("x86_64-linux-gnu -mcpu=cascadelake");
  const auto f = parse(R"(
func gemm<K>(W: u8[K, 64], X: i8[K, 8, 4], C: i32[8, 16]) {
  alloc acc: i32[8, 16] local {
    for m in 0 +: 8 unrolled { for v in 0 +: 16 vectorized { acc[m, v] = 0i32 } }
    for k in 0 +: K {
      for m in 0 +: 8 unrolled {
        acc[m, ramp(0, 1, 16)] = @x86.vpdpbusd.512<i32x16>(acc[m, ramp(0, 1, 16)], load_bits<i32x16>(W[k, 0]), broadcast(load_bits<i32>(X[k, m, 0]), 16))
      }
    }
    for m in 0 +: 8 unrolled { for v in 0 +: 16 vectorized { C[m, v] = acc[m, v] } }
  }
})");
  auto assembly = emit_assembly(lower_for(f, *t), *t);
  ASSERT_TRUE(assembly) << assembly.error().message;
  int dots = 0, broadcasts = 0, spills = 0;
  std::istringstream lines(*assembly);
  for (std::string line; std::getline(lines, line);) {
    const bool dot = line.find("vpdpbusd") != std::string::npos;
    dots += dot;
    broadcasts += dot && line.find("{1to16}") != std::string::npos;
    spills += line.find("vmovd") != std::string::npos && line.find("(%rsp)") != std::string::npos;
  }
  EXPECT_GE(dots, 8) << *assembly;
  EXPECT_EQ(dots, broadcasts) << *assembly;
  EXPECT_EQ(spills, 0) << *assembly;
  if (target::check_runs_on(*t, host(), "test")) expect_agreement_on({host()}, f, {5});
}

// Random programs through lowering and LLVM. Several share a library, since linking costs more than running.
void compare_random_programs(const Target& target, uint64_t first, int count, const ir::RandomOptions& options,
                             double max_ulp) {
  constexpr int kBatch = 25;
  for (int begin = 0; begin < count; begin += kBatch) {
    std::vector<ir::RandomProgram> programs;
    ir::Module m;
    for (int i = begin; i < std::min(count, begin + kBatch); ++i) {
      programs.push_back(ir::random_program(first + static_cast<uint64_t>(i), options));
      programs.back().func.name = fmt::format("f{}", i);
      m.functions.push_back(programs.back().func);
    }
    auto lowered = lower::run(m, target);
    ASSERT_TRUE(lowered) << lowered.error().message;
    auto lib = JitLibrary::compile(*lowered, target);
    ASSERT_TRUE(lib) << lib.error().message;
    for (size_t k = 0; k < programs.size(); ++k) {
      auto& p = programs[k];
      auto want = p.buffers;
      auto interpreted = ir::interpret(p.func, ir::raw_buffers(want), p.sizes);
      ASSERT_TRUE(interpreted) << interpreted.error().message;
      std::vector<Bytes> got;
      for (const auto& b : p.buffers) {
        got.emplace_back(b.size());
        std::memcpy(got.back().data(), b.data(), b.size());
      }
      run_kernel(lib->kernel(p.func.name), got, p.sizes, 1 + static_cast<int>(k % 3));
      for (size_t b = 0; b < want.size(); ++b) {
        ASSERT_TRUE(got[b].tail_intact());
        const std::vector<uint8_t> bytes(got[b].data(), got[b].data() + want[b].size());
        const int64_t at = ir::first_difference(p.func.buffers[b]->dtype, want[b], bytes, max_ulp);
        ASSERT_EQ(at, -1) << "seed " << first + static_cast<uint64_t>(begin) + k << " on " << target.cpu << ", buffer "
                          << p.func.buffers[b]->name << "\n"
                          << ir::print(p.func) << "\nlowered:\n"
                          << ir::print(lowered->functions[k]);
      }
    }
  }
}

int num_cases(int standard) {
  const auto wanted = static_cast<int>(knob_int("MLC_PROPERTY_CASES"));
  return wanted > 0 ? wanted : standard;
}

TEST(Property, RandomScheduledProgramsAgree) {
  ir::RandomOptions options;
  options.lowered = false;
  compare_random_programs(host(), 1, num_cases(600), options, 0);
}

TEST(Property, RandomLoweredProgramsAgree) { compare_random_programs(host(), 100001, num_cases(400), {}, 0); }

TEST(Property, RandomProgramsAgreeOnOldMachines) {
  ir::RandomOptions options;
  options.lowered = false;
  for (const Target& t : runnable({"x86_64-linux-gnu", "x86_64-linux-gnu -mcpu=x86-64-v3"})) {
    compare_random_programs(t, 200001, num_cases(60), options, 0);
  }
}

}  // namespace
}  // namespace mlc::codegen
