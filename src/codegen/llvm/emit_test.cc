#include "codegen/llvm/emit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "codegen/llvm/link.h"
#include "codegen/llvm/test_util.h"

namespace mlc::codegen {
namespace {

using namespace testing;  // NOLINT
using ir::Buffer;
using ir::Expr;
using ir::PrimFunc;
using ir::Stmt;
using ir::Var;

// C[i] = A[i] + B[i] over n elements, in parallel.
PrimFunc vector_add() {
  Var n = ir::var("n");
  Buffer a = ir::buffer("A", DType::f32(), {n}), b = ir::buffer("B", DType::f32(), {n}),
         c = ir::buffer("C", DType::f32(), {n});
  Stmt body = ir::for_(
      "i", 0, n, [&](Var i) { return ir::store(c, {i}, ir::load(a, {i}) + ir::load(b, {i})); }, ir::ForKind::kParallel);
  return {"vector_add", {a, b, c}, {n}, body, {}};
}

TEST(Emit, ParallelAddForAnyNumberOfWorkers) {
  auto lib = JitLibrary::compile(module_of(vector_add()), host());
  ASSERT_TRUE(lib) << lib.error().message;
  auto kernel = lib->kernel("vector_add");
  ASSERT_TRUE(kernel);
  for (int workers : {1, 2, 3, 7, 200}) {
    const int64_t n = 101;
    std::vector<Bytes> buffers(3, Bytes(n * 4));
    for (int i = 0; i < n; ++i) {
      buffers[0].as<float>()[i] = static_cast<float>(i);
      buffers[1].as<float>()[i] = 0.5f;
    }
    run_kernel(kernel, buffers, {n}, workers);
    for (int i = 0; i < n; ++i) ASSERT_EQ(buffers[2].as<float>()[i], static_cast<float>(i) + 0.5f) << workers;
    EXPECT_TRUE(buffers[2].tail_intact());
  }
}

TEST(Emit, SerialKernelRunsOnWorkerZeroAlone) {
  Buffer c = ir::buffer("C", DType::i32(), {1});
  PrimFunc f{"count", {c}, {}, ir::store(c, {0}, ir::load(c, {0}) + ir::i32(1)), {}};
  auto lib = JitLibrary::compile(module_of(f), host());
  ASSERT_TRUE(lib) << lib.error().message;
  std::vector<Bytes> buffers(1, Bytes(4));
  buffers[0].as<int32_t>()[0] = 5;
  run_kernel(lib->kernel("count"), buffers, {}, 4);
  EXPECT_EQ(buffers[0].as<int32_t>()[0], 6);
}

TEST(Emit, VectorsAndLocalBuffers) {
  Buffer a = ir::buffer("A", DType::f32(), {64}), c = ir::buffer("C", DType::f32(), {1});
  Buffer acc = ir::buffer("acc", DType::f32(), {16}, ir::Scope::kLocal);
  Expr lanes = ir::ramp(0, 1, 16);
  Stmt loop = ir::for_("k", 0, 4, [&](Var k) {
    return ir::store(acc, {lanes}, ir::load(acc, {lanes}) + ir::load(a, {ir::ramp(k * 16, 1, 16)}));
  });
  Stmt body =
      ir::allocate(acc, ir::seq({ir::store(acc, {lanes}, ir::fimm(DType::f32().with_lanes(16), 0.0)), loop,
                                 ir::store(c, {0}, ir::vector_reduce(ir::ReduceOp::kAdd, ir::load(acc, {lanes})))}));
  PrimFunc f{"sum", {a, c}, {}, body, {}};
  auto lib = JitLibrary::compile(module_of(f), host());
  ASSERT_TRUE(lib) << lib.error().message;
  std::vector<Bytes> buffers = {Bytes(256), Bytes(4)};
  for (int i = 0; i < 64; ++i) buffers[0].as<float>()[i] = static_cast<float>(i);
  run_kernel(lib->kernel("sum"), buffers, {});
  EXPECT_EQ(buffers[1].as<float>()[0], 2016.0f);
}

TEST(Emit, SameInputSameBytes) {
  auto a = emit_object(module_of(vector_add()), host());
  auto b = emit_object(module_of(vector_add()), host());
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*a, *b);
  EXPECT_EQ(*link_shared_bytes({*a}), *link_shared_bytes({*b}));
}

TEST(Emit, ObjectsInThreadsEqualObjectsInTurn) {
  ir::Module m;
  for (int i = 0; i < 5; ++i) {
    m.functions.push_back(vector_add());
    m.functions.back().name += std::to_string(i);
  }
  EmitOptions threads;
  threads.num_threads = 3;
  auto a = emit_objects(m, host());
  auto b = emit_objects(m, host(), threads);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*a, *b);
  auto bytes = link_shared_bytes(*a);
  ASSERT_TRUE(bytes) << bytes.error().message;
  auto lib = JitLibrary::load(*bytes);
  ASSERT_TRUE(lib) << lib.error().message;
  EXPECT_TRUE(lib->kernel("vector_add4"));
  EXPECT_FALSE(lib->kernel("vector_add5"));
}

TEST(Emit, DataTravelsInTheLibrary) {
  const std::string json = std::string("{\"a\": 1}\0tail", 13);
  auto data = emit_data({{"mlc_artifact_json", json}}, host());
  auto code = emit_object(module_of(vector_add()), host());
  ASSERT_TRUE(data && code);
  auto lib = JitLibrary::load(*link_shared_bytes({*code, *data}));
  ASSERT_TRUE(lib) << lib.error().message;
  auto* size = static_cast<uint64_t*>(lib->symbol("mlc_artifact_json_size"));
  ASSERT_NE(size, nullptr);
  EXPECT_EQ(std::string(static_cast<char*>(lib->symbol("mlc_artifact_json")), *size), json);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(lib->symbol("mlc_artifact_json")) % 64, 0u);
}

// What cannot be compiled says why in one line.
TEST(Emit, RefusesWithTheReason) {
  Buffer c = ir::buffer("C", DType::f32(), {16});
  Var n = ir::var("n");
  auto refused = [&](Stmt body, const char* reason) {
    auto r = emit_object(module_of({"f", {c}, {n}, body, {}}), host());
    ASSERT_FALSE(r) << reason;
    EXPECT_NE(r.error().message.find(reason), std::string::npos) << r.error().message;
    EXPECT_NE(r.error().message.find("kernel f"), std::string::npos) << r.error().message;
  };
  Stmt st = ir::store(c, {0}, ir::f32(1));
  auto parallel = [&](Stmt s) { return ir::for_("p", 0, 4, [&](Var) { return s; }, ir::ForKind::kParallel); };
  refused(ir::for_("k", 0, 3, [&](Var) { return parallel(st); }), "inside the serial loop k");
  refused(ir::seq({parallel(st), parallel(st)}), "parallel loops");
  refused(ir::seq({st, parallel(st)}), "outside the parallel loop");
  refused(ir::store(c, {0}, ir::exp(ir::f32(1))), "exp");
  Buffer big = ir::buffer("big", DType::f32(), {1 << 20}, ir::Scope::kLocal);
  refused(ir::allocate(big, ir::store(big, {0}, ir::f32(1))), "stack");
  Buffer dynamic = ir::buffer("dynamic", DType::f32(), {n}, ir::Scope::kLocal);
  refused(ir::allocate(dynamic, ir::store(dynamic, {0}, ir::f32(1))), "dynamic");
}

TEST(Emit, UndefinedSymbolsAreNamed) {
  // frem has no instruction anywhere: LLVM would call fmodf. The IR cannot say it; a f64 fma on a target without FMA
  // can stand for all that ends in a library call.
  auto old = target::Target::parse("x86_64-linux-gnu");
  ASSERT_TRUE(old);
  Buffer c = ir::buffer("C", DType::f64(), {1});
  Expr x = ir::load(c, {0});
  auto r = emit_object(module_of({"f", {c}, {}, ir::store(c, {0}, ir::fma(x, x, x)), {}}), *old);
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("fma"), std::string::npos) << r.error().message;
}

TEST(Emit, UnknownTripleAndGpuAreRefused) {
  auto t = target::Target::parse("pdp11-dec-unix");
  ASSERT_TRUE(t);
  EXPECT_FALSE(emit_object(module_of(vector_add()), *t));
  EXPECT_FALSE(emit_object(module_of(vector_add()), *target::Target::parse("opencl")));
}

TEST(Link, ErrorsAreResults) {
  EXPECT_FALSE(link_shared({"this is no object"}, ::testing::TempDir() + "/bad.so"));
  auto code = emit_object(module_of(vector_add()), host());
  auto r = link_shared({*code}, "/nonexistent-directory/lib.so");
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("nonexistent-directory"), std::string::npos);
  EXPECT_FALSE(link_shared({*code, *code}, ::testing::TempDir() + "/twice.so"));  // duplicate symbols
  EXPECT_TRUE(link_shared({*code}, ::testing::TempDir() + "/good.so"));           // LLD works again after errors
}

TEST(Host, NativeTargetIsResolved) {
  const auto& t = host();
  EXPECT_FALSE(t.cpu.empty());
  auto again = resolve_target(t);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->features, t.features);
  EXPECT_TRUE(target::check_runs_on(t, target::Target::host(), "lib.so"));
}

TEST(Host, ResolveNamesWhatIsUnknown) {
  auto cpu = resolve_target(*target::Target::parse("x86_64-linux-gnu -mcpu=pentium99"));
  ASSERT_FALSE(cpu);
  EXPECT_NE(cpu.error().message.find("pentium99"), std::string::npos);
  auto feature = resolve_target(*target::Target::parse("x86_64-linux-gnu -mattr=+warp"));
  ASSERT_FALSE(feature);
  EXPECT_NE(feature.error().message.find("warp"), std::string::npos);
  auto tigerlake = resolve_target(*target::Target::parse("x86_64-linux-gnu -mcpu=tigerlake"));
  ASSERT_TRUE(tigerlake) << tigerlake.error().message;
  EXPECT_TRUE(tigerlake->has("avx512vnni"));
}

}  // namespace
}  // namespace mlc::codegen
