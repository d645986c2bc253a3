// OpenCL against the interpreter: kernels of a language model scheduled with thread axes, and random programs. Runs on
// any OpenCL device; PoCL in CI.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

#include "../tests/support/source_dir.h"
#include "base/knobs.h"
#include "codegen/c_style/c_printer.h"
#include "graph/ops/ops.h"
#include "ir/interp.h"
#include "ir/random_program.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ir/visit.h"
#include "lower/pipeline.h"
#include "runtime/opencl/opencl_device.h"
#include "schedule/schedule.h"

namespace mlc::codegen {
namespace {

using ir::Expr;
using ir::PrimFunc;
using ir::Scope;
using ir::Var;
using schedule::BlockRef;
using schedule::LoopRef;
using schedule::Schedule;

#define OK(expr)                             \
  do {                                       \
    auto ok_ = (expr);                       \
    ASSERT_TRUE(ok_) << ok_.error().message; \
  } while (0)

const target::Target& opencl() {
  static const auto* t =
      new target::Target(target::Target::parse("opencl -max-threads=256 -shared-bytes=32768").value());
  return *t;
}

ir::Module lowered(const std::vector<PrimFunc>& functions) {
  ir::Module m;
  m.functions = functions;
  auto r = lower::run(m, opencl());
  MLC_CHECK(r, "{}", r.error().message);
  return *r;
}

using Data = std::vector<std::vector<uint8_t>>;

Data interpreted(const PrimFunc& f, Data data, const std::vector<int64_t>& sizes) {
  auto r = ir::interpret(f, ir::raw_buffers(data), sizes);
  EXPECT_TRUE(r) << f.name << ": " << r.error().message << "\n" << ir::print(f);
  return data;
}

// A device, or a skipped test that says why.
class Opencl : public ::testing::Test {
 protected:
  void SetUp() override {
    static const auto* device = new Result<std::shared_ptr<runtime::OpenclDevice>>(runtime::make_opencl_device());
    const bool needs_gpu = knob_bool("MLC_TEST_GPU");
    if (!*device) {
      ASSERT_FALSE(needs_gpu) << device->error().message;
      GTEST_SKIP() << device->error().message;
    }
    device_ = **device;
    ASSERT_TRUE(!needs_gpu || device_->facts().is_gpu) << "the OpenCL device is no GPU: its driver is missing";
  }

  std::shared_ptr<runtime::OpenclProgram> build(const CProgram& program) {
    auto built = device_->build(program.source);
    EXPECT_TRUE(built) << built.error().message << "\n" << program.source;
    return built ? *built : nullptr;
  }

  Data run(runtime::OpenclProgram& program, const CFunction& f, const Data& data, const std::vector<int64_t>& sizes) {
    std::vector<void*> buffers;
    for (const auto& bytes : data) {
      auto memory = device_->allocate(static_cast<int64_t>(std::max<size_t>(bytes.size(), 1)));
      MLC_CHECK(memory, "{}", memory.error().message);
      device_->copy_from_host(*memory, bytes.data(), static_cast<int64_t>(bytes.size()));
      buffers.push_back(*memory);
    }
    for (const CLaunch& l : f.launches) {
      auto groups = launch_groups(f, l, sizes);
      MLC_CHECK(groups, "{}", groups.error().message);
      auto launched = program.launch({l.kernel, buffers, sizes, *groups, l.threads});
      EXPECT_TRUE(launched) << launched.error().message;
    }
    Data result = data;
    for (size_t i = 0; i < data.size(); ++i) {
      device_->copy_to_host(result[i].data(), buffers[i], static_cast<int64_t>(data[i].size()));
      device_->free(buffers[i], static_cast<int64_t>(data[i].size()));
    }
    return result;
  }

  std::shared_ptr<runtime::OpenclDevice> device_;
};

// ---- Data: small floats, any integers.
int64_t extent_of(const Expr& e, const PrimFunc& f, const std::vector<int64_t>& sizes) {
  ir::VarMap values;
  for (size_t i = 0; i < sizes.size(); ++i) values[f.sizes[i]] = Expr(sizes[i]);
  return *ir::as_const_int(ir::evaluate_constant(ir::substitute(e, values)));
}

Data random_data(const PrimFunc& f, const std::vector<int64_t>& sizes) {
  std::mt19937 rng(7);
  std::uniform_real_distribution<float> real(-1, 1);
  Data data;
  for (const ir::Buffer& b : f.buffers) {
    int64_t n = 1;
    for (const Expr& e : b->shape) n *= extent_of(e, f, sizes);
    std::vector<uint8_t> bytes(static_cast<size_t>(n * b->dtype.bytes()));
    for (int64_t i = 0; i < n; ++i) {
      uint8_t* at = bytes.data() + i * b->dtype.bytes();
      const float value = real(rng);
      const uint16_t half = f32_to_f16(value);
      const uint32_t word = static_cast<uint32_t>(rng());
      if (b->dtype == DType::f32()) std::memcpy(at, &value, 4);
      if (b->dtype == DType::f16()) std::memcpy(at, &half, 2);
      if (!b->dtype.is_float()) std::memcpy(at, &word, static_cast<size_t>(std::min<int64_t>(b->dtype.bytes(), 4)));
    }
    data.push_back(std::move(bytes));
  }
  return data;
}

void expect_close(const Data& want, const Data& got, const std::string& what) {
  const auto& a = want.back();  // the output is the last parameter; the others are not written
  const auto& b = got.back();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i + 4 <= a.size(); i += 4) {
    float x, y;
    std::memcpy(&x, &a[i], 4);
    std::memcpy(&y, &b[i], 4);
    ASSERT_LE(std::fabs(x - y), 2e-5f * (1 + std::fabs(x))) << what << ", element " << i / 4;
  }
  for (size_t i = 0; i + 1 < want.size(); ++i) EXPECT_EQ(want[i], got[i]) << what << ": an input changed";
}

// The function, its schedule and the lowered form mean the same to the interpreter; the device agrees.
#define EXPECT_ALL_AGREE(original, s, sizes_list)                                             \
  do {                                                                                        \
    const ir::Module module = lowered({(s).func()});                                          \
    auto program = emit_c(module, opencl());                                                  \
    ASSERT_TRUE(program) << program.error().message << "\n" << ir::print(module);             \
    auto built = build(*program);                                                             \
    ASSERT_TRUE(built);                                                                       \
    for (const std::vector<int64_t>& sizes : std::vector<std::vector<int64_t>> sizes_list) {  \
      const Data inputs = random_data(original, sizes);                                       \
      const Data want = interpreted(original, inputs, sizes);                                 \
      expect_close(want, interpreted((s).func(), inputs, sizes), "scheduled");                \
      expect_close(want, interpreted(module.functions[0], inputs, sizes), "lowered");         \
      expect_close(want, run(*built, program->functions[0], inputs, sizes), "on the device"); \
    }                                                                                         \
    if (HasFailure()) ADD_FAILURE() << ir::print(module) << program->source;                  \
  } while (0)

int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

std::string source_of(const PrimFunc& f) {
  auto program = emit_c(lowered({f}), opencl());
  EXPECT_TRUE(program) << program.error().message;
  return program ? program->source : "";
}

// ---- 4-bit matmul: x[T, K] times the transpose of a q4f16_1 weight, from the ops of graph/.
PrimFunc int4_matmul(int64_t n, int64_t k) {
  graph::Node node;
  node.name = "linear";
  node.weight = std::make_shared<quant::PackedLinear>(*quant::PackedLinear::create("q4f16_1", "w", n, k));
  const int64_t np = node.weight->n_padded();
  const Var t = ir::var("T");
  std::vector<ir::Buffer> weights;
  for (const auto& tensor : node.weight->tensors()) {
    weights.push_back(ir::buffer(tensor.dtype == DType::u32() ? "codes" : "scales", tensor.dtype,
                                 {tensor.shape.begin(), tensor.shape.end()}));
  }
  const ir::Buffer x = ir::buffer("x", DType::f32(), {t, k}), w = ir::buffer("w", DType::f32(), {np, k});
  const ir::Buffer out = ir::buffer("out", DType::f32(), {t, np});
  graph::EmitContext dequantize, matmul;
  dequantize.node = matmul.node = &node;
  dequantize.in = weights;
  dequantize.out = {w};
  matmul.in = {x, w};
  matmul.out = {out};
  dequantize.syms[0] = matmul.syms[0] = t;
  PrimFunc f;
  f.name = "int4_matmul";
  f.buffers = {x, weights[0], weights[1], out};
  f.sizes = {t};
  f.body = ir::allocate(w, ir::seq({graph::ops::dequantize().emit(dequantize), graph::ops::matmul().emit(matmul)}));
  return f;
}

// Splits both loops of a nest of two over 4 x 8 threads, each taking neighbours (or strided elements).
void bind_tile(Schedule& s, BlockRef block, size_t first, bool strided, bool vectors = false) {
  auto loops = s.loops(block);
  OK(loops);
  auto y = strided ? s.split((*loops)[first], {-1, 4}) : s.split((*loops)[first], {4, -1});
  OK(y);
  auto x = strided ? s.split((*loops)[first + 1], {-1, 8}) : s.split((*loops)[first + 1], {8, -1});
  OK(x);
  const size_t thread = strided ? 1 : 0;
  OK(s.reorder({(*y)[thread], (*x)[thread], (*y)[1 - thread], (*x)[1 - thread]}));
  OK(s.bind((*y)[thread], "threadIdx.y"));
  OK(s.bind((*x)[thread], "threadIdx.x"));
  if (vectors) OK(s.vectorize((*x)[1 - thread]));
}

// A work-group makes 8 x 16 elements out of tiles of 32 terms: x and the dequantized weight go through shared memory,
// sums stay in registers.
void schedule_int4_matmul(Schedule& s) {
  auto c = s.block("matmul"), w = s.block("dequantize");
  OK(c);
  OK(w);
  auto out = s.cache_write(*c, "out", Scope::kLocal);
  OK(out);
  auto x = s.cache_read(*c, "x", Scope::kShared);
  OK(x);
  OK(s.set_scope(*w, "w", Scope::kShared));
  auto loops = s.loops(*c);
  OK(loops);
  auto m = s.split((*loops)[0], {-1, 4, 2}), n = s.split((*loops)[1], {-1, 8, 2}), k = s.split((*loops)[2], {-1, 32});
  OK(m);
  OK(n);
  OK(k);
  const auto &ml = *m, &nl = *n, &kl = *k;
  OK(s.reorder({ml[0], nl[0], kl[0], ml[1], nl[1], kl[1], ml[2], nl[2]}));
  OK(s.reverse_compute_at(*out, nl[0]));
  OK(s.compute_at(*x, kl[0]));
  OK(s.compute_at(*w, kl[0]));
  auto init = s.decompose_reduction(*c, kl[0]);
  OK(init);
  OK(s.bind(ml[0], "blockIdx.y"));
  OK(s.bind(nl[0], "blockIdx.x"));
  OK(s.bind(ml[1], "threadIdx.y"));
  OK(s.bind(nl[1], "threadIdx.x"));
  auto init_loops = s.loops(*init);
  OK(init_loops);
  ASSERT_EQ(init_loops->size(), 6u);  // m0 n0, then m1 n1 m2 n2
  OK(s.bind((*init_loops)[2], "threadIdx.y"));
  OK(s.bind((*init_loops)[3], "threadIdx.x"));
  bind_tile(s, *out, 2, false, true);
  bind_tile(s, *x, 3, true);
  bind_tile(s, *w, 3, true);
}

TEST_F(Opencl, Int4MatmulThroughSharedMemory) {
  const PrimFunc f = int4_matmul(48, 96);
  Schedule s(f);
  schedule_int4_matmul(s);
  if (HasFailure()) FAIL() << ir::print(s.func());
  const std::string source = source_of(s.func());
  EXPECT_EQ(count(source, "__local float"), 2) << source;
  EXPECT_EQ(count(source, "barrier("), 2) << source;  // after the tiles are filled, and before they are again
  EXPECT_NE(source.find("float out_local[4];"), std::string::npos) << source;
  EXPECT_NE(source.find("vstore2("), std::string::npos) << source;
  EXPECT_ALL_AGREE(f, s, ({{1}, {8}, {21}}));
}

// ---- RMSNorm: one work-group per row; partial sums in shared memory.
PrimFunc rms_norm(int64_t n) {
  graph::Node node;
  node.name = "norm";
  node.attrs = {{"n", n}, {"eps", 1e-5}};
  const Var t = ir::var("T");
  const ir::Buffer x = ir::buffer("x", DType::f32(), {t, n}), w = ir::buffer("w", DType::f32(), {n});
  const ir::Buffer out = ir::buffer("out", DType::f32(), {t, n});
  graph::EmitContext c;
  c.node = &node;
  c.in = {x, w};
  c.out = {out};
  c.syms[0] = t;
  PrimFunc f;
  f.name = "rms_norm";
  f.buffers = {x, w, out};
  f.sizes = {t};
  f.body = graph::ops::rms_norm().emit(c);
  return f;
}

// Cuts a row reduction into 32 partial ones, one per thread, and moves both parts under the row loop.
void cooperative_reduction(Schedule& s, const std::string& name, BlockRef* partial) {
  auto block = s.block(name);
  OK(block);
  auto loops = s.loops(*block);
  OK(loops);
  auto n = s.split((*loops)[1], {-1, 32});
  OK(n);
  auto rf = s.rfactor((*n)[1], 0);
  OK(rf);
  *partial = *rf;
  const std::string buffer = s.find(*rf)->writes[0].buffer->name;
  OK(s.set_scope(*rf, buffer, Scope::kShared));
}

// The loop of this extent among those around a block, innermost first.
LoopRef loop_of_extent(Schedule& s, BlockRef block, int64_t extent) {
  auto loops = s.loops(block);
  EXPECT_TRUE(loops) << loops.error().message;
  for (size_t i = loops->size(); i-- > 0;) {
    if (ir::is_const(s.find((*loops)[i])->extent, extent)) return (*loops)[i];
  }
  ADD_FAILURE() << "no loop of extent " << extent << "\n" << ir::print(s.func());
  return loops->back();
}

void bind_partial(Schedule& s, BlockRef partial) {
  auto loops = s.loops(partial);
  OK(loops);
  const LoopRef lane = loop_of_extent(s, partial, 32);
  std::vector<LoopRef> inner(loops->begin() + 1, loops->end());
  if (!(inner[0] == lane)) OK(s.reorder({lane, inner[0]}));
  OK(s.bind(lane, "threadIdx.x"));
}

TEST_F(Opencl, RmsNormWithACooperativeReduction) {
  const PrimFunc f = rms_norm(208);
  Schedule s(f);
  BlockRef partial;
  cooperative_reduction(s, "sum", &partial);
  auto norm = s.block("norm"), sum = s.block("sum"), inverse = s.block("inverse");
  OK(norm);
  OK(sum);
  OK(inverse);
  OK(s.set_scope(*sum, "sum", Scope::kShared));
  OK(s.set_scope(*inverse, "inverse", Scope::kShared));
  auto loops = s.loops(*norm);
  OK(loops);
  auto n = s.split((*loops)[1], {-1, 32});
  OK(n);
  OK(s.compute_at(*inverse, (*loops)[0]));
  OK(s.compute_at(*sum, (*loops)[0]));
  OK(s.compute_at(partial, (*loops)[0]));
  OK(s.bind((*loops)[0], "blockIdx.x"));
  OK(s.reorder({(*n)[1], (*n)[0]}));
  OK(s.bind((*n)[1], "threadIdx.x"));
  bind_partial(s, partial);
  if (HasFailure()) FAIL() << ir::print(s.func());
  EXPECT_GE(count(source_of(s.func()), "barrier("), 2);
  EXPECT_ALL_AGREE(f, s, ({{1}, {5}}));
}

// ---- Softmax over rows of 130.
PrimFunc softmax(int64_t n) {
  const Var rows = ir::var("R");
  const ir::Buffer x = ir::buffer("x", DType::f32(), {rows, n}), out = ir::buffer("out", DType::f32(), {rows, n});
  const ir::Buffer top = ir::buffer("top", DType::f32(), {rows}), sum = ir::buffer("total", DType::f32(), {rows});
  const auto exponential = [&](const Expr& m, const Expr& i) {
    return ir::exp(ir::load(x, {m, i}) - ir::load(top, {m}));
  };
  ir::Stmt max_nest = ir::block("row_max", {{"m", rows}, {"i", n, ir::IterKind::kReduce}}, [&](const auto& v) {
    return ir::BlockBody{ir::store(top, {v[0]}, ir::f32(-INFINITY)),
                         ir::store(top, {v[0]}, ir::max(ir::load(top, {v[0]}), ir::load(x, {v[0], v[1]})))};
  });
  ir::Stmt sum_nest = ir::block("row_sum", {{"m", rows}, {"i", n, ir::IterKind::kReduce}}, [&](const auto& v) {
    return ir::BlockBody{ir::store(sum, {v[0]}, ir::f32(0)),
                         ir::store(sum, {v[0]}, ir::load(sum, {v[0]}) + exponential(v[0], v[1]))};
  });
  ir::Stmt out_nest = ir::block("softmax", {{"m", rows}, {"i", n}}, [&](const auto& v) {
    return ir::BlockBody{{}, ir::store(out, {v[0], v[1]}, exponential(v[0], v[1]) / ir::load(sum, {v[0]}))};
  });
  PrimFunc f;
  f.name = "softmax";
  f.buffers = {x, out};
  f.sizes = {rows};
  f.body = ir::allocate(top, ir::allocate(sum, ir::seq({max_nest, sum_nest, out_nest})));
  return f;
}

TEST_F(Opencl, SoftmaxWithTwoCooperativeReductions) {
  const PrimFunc f = softmax(130);
  Schedule s(f);
  BlockRef partial_max, partial_sum;
  cooperative_reduction(s, "row_max", &partial_max);
  cooperative_reduction(s, "row_sum", &partial_sum);
  auto out = s.block("softmax"), top = s.block("row_max"), sum = s.block("row_sum");
  OK(out);
  OK(top);
  OK(sum);
  auto loops = s.loops(*out);
  OK(loops);
  OK(s.set_scope(*top, "top", Scope::kShared));
  OK(s.set_scope(*sum, "total", Scope::kShared));
  for (const BlockRef b : {*sum, partial_sum, *top, partial_max}) OK(s.compute_at(b, (*loops)[0]));
  auto n = s.split((*loops)[1], {-1, 32});
  OK(n);
  OK(s.reorder({(*n)[1], (*n)[0]}));
  OK(s.bind((*loops)[0], "blockIdx.x"));
  OK(s.bind((*n)[1], "threadIdx.x"));
  bind_partial(s, partial_max);
  bind_partial(s, partial_sum);
  if (HasFailure()) FAIL() << ir::print(s.func());
  EXPECT_GE(count(source_of(s.func()), "barrier("), 4);
  EXPECT_ALL_AGREE(f, s, ({{1}, {6}}));
}

// ---- The passes: what becomes of thread-bound loops.
PrimFunc parsed(const std::string& text) {
  auto f = ir::parse_func(text);
  MLC_CHECK(f, "{}\n{}", f.error().message, text);
  return *f;
}

// Threads hand values on through a local buffer: it becomes shared, with a barrier. A shorter second phase is guarded,
// and what no axis is bound to runs once.
TEST_F(Opencl, PhasesMeetAndLocalMemoryThatIsHandedOnIsShared) {
  const PrimFunc f = parsed(R"(
func exchange(x: f32[4, 64], out: f32[4, 33]) {
  for b in 0 +: 4 thread "blockIdx.x" {
    alloc tile: f32[64] local {
      for t in 0 +: 64 thread "threadIdx.x" { tile[t] = x[b, t] }
      for u in 0 +: 32 thread "threadIdx.x" { out[b, u] = tile[63 - u] }
      out[b, 32] = tile[0] + tile[63]
    }
  }
})");
  const ir::Module m = lowered({f});
  auto program = emit_c(m, opencl());
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(count(program->source, "__local float tile[64];"), 1) << program->source;
  // The second one because the guarded phase and the single thread write to one buffer.
  EXPECT_EQ(count(program->source, "barrier("), 2) << program->source;
  const Data inputs = random_data(f, {});
  const Data want = interpreted(f, inputs, {});
  EXPECT_EQ(want, interpreted(m.functions[0], inputs, {}));
  auto built = build(*program);
  ASSERT_TRUE(built);
  EXPECT_EQ(want, run(*built, program->functions[0], inputs, {}));
}

// Without the barriers, the lowered form is wrong: the interpreter sees what they are for.
TEST(BindThreads, TheInterpreterSeesMissingBarriers) {
  const PrimFunc f = parsed(R"(
func shift(x: f32[3, 16], out: f32[16]) {
  alloc tile: f32[16] shared {
    for k in 0 +: 3 {
      for t in 0 +: 16 thread "threadIdx.x" { tile[t] = x[k, t] }
      for t in 0 +: 16 thread "threadIdx.x" { out[t] = out[t] + tile[15 - t] }
    }
  }
})");
  const ir::Module m = lowered({f});
  std::string text = ir::print(m.functions[0]);
  EXPECT_EQ(count(text, "barrier"), 2) << text;
  const Data inputs = random_data(f, {});
  const Data want = interpreted(f, inputs, {});
  EXPECT_EQ(want, interpreted(m.functions[0], inputs, {}));
  for (size_t at; (at = text.find("barrier shared")) != std::string::npos;) text.erase(at, 14);
  EXPECT_NE(want, interpreted(parsed(text), inputs, {}));
}

TEST(CPrinter, SaysWhyAKernelCannotBe) {
  const auto fails = [](const std::string& text) {
    auto m = lower::run({{parsed(text)}}, opencl());
    if (!m) return m.error().message;
    auto p = emit_c(*m, opencl());
    return p ? std::string() : p.error().message;
  };
  EXPECT_NE(fails(R"(
func two(x: f32[64], out: f32[64]) {
  alloc between: f32[64] {
    for b in 0 +: 64 thread "blockIdx.x" { between[b] = x[b] }
    for c in 0 +: 64 thread "blockIdx.x" { out[c] = between[63 - c] }
  }
})")
                .find("the intermediate between of"),
            std::string::npos);
  EXPECT_NE(fails(R"(
func wide(out: f32[512]) { for t in 0 +: 512 thread "threadIdx.x" { out[t] = 1f32 } })")
                .find("512 threads, the target allows 256"),
            std::string::npos);
  EXPECT_NE(fails(R"(
func ragged(x: f32[8, 8], out: f32[8]) {
  alloc s: f32[8] shared {
    for y in 0 +: 8 thread "threadIdx.y" {
      if y < 3 {
        for t in 0 +: 8 thread "threadIdx.x" { s[t] = x[y, t] }
        for u in 0 +: 8 thread "threadIdx.x" { out[u] = s[7 - u] }
      }
    }
  }
})")
                .find("must meet under a condition"),
            std::string::npos);
}

// The text as a whole, in tests/golden/codegen. Grids that follow each other become kernels that are launched in order.
TEST(CPrinter, Golden) {
  const PrimFunc f = parsed(R"(
func scale<T>(x: f16[T, 8], flags: bool[8], out: f32[T, 8]) {
  for b in 0 +: (T + 3) // 4 thread "blockIdx.x" {
    for t in 0 +: 4 thread "threadIdx.x" {
      if b * 4 + t < T {
        for v in 0 +: 4 vectorized { out[b * 4 + t, v] = 0.5f32 }
        for float in 4 +: 4 { if flags[float] { out[b * 4 + t, float] = cast<f32>(x[b * 4 + t, float]) * -2f32 } }
      }
    }
  }
  for i in 0 +: T thread "blockIdx.x" { out[i, 0] = @exp<f32>(out[i, 1]) }
})");
  auto program = emit_c(lowered({f}), opencl());
  ASSERT_TRUE(program) << program.error().message;
  const std::string path = testing::source_file("tests/golden/codegen/scale.cl");
  if (const char* update = std::getenv("MLC_UPDATE_GOLDEN"); update && *update == '1') {
    std::ofstream(path) << program->source;
  }
  std::ifstream in(path);
  ASSERT_TRUE(in) << path;
  const std::string golden((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_EQ(program->source, golden) << "MLC_UPDATE_GOLDEN=1 rewrites it";
  ASSERT_EQ(program->functions[0].launches.size(), 2u);
  const CLaunch& l = program->functions[0].launches[0];
  EXPECT_EQ(l.kernel, "scale_0");
  EXPECT_EQ(l.threads, (std::array<int64_t, 3>{4, 1, 1}));
  const std::vector<int64_t> sizes = {9};
  EXPECT_EQ(*launch_groups(program->functions[0], l, sizes), (std::array<int64_t, 3>{3, 1, 1}));
}

TEST_F(Opencl, ABrokenProgramShowsItsLog) {
  auto built = device_->build("__kernel void f(__global float* x) {\n  x[0] = nonsense;\n}\n");
  ASSERT_FALSE(built);
  EXPECT_NE(built.error().message.find("nonsense"), std::string::npos) << built.error().message;
  EXPECT_NE(built.error().message.find("line 2:   x[0] = nonsense;"), std::string::npos) << built.error().message;
}

TEST_F(Opencl, TheDeviceHoldsMemory) {
  EXPECT_EQ(device_->name(), "opencl");
  EXPECT_GT(device_->memory_info().total_bytes, 0);
  void *a = *device_->allocate(40), *b = *device_->allocate(40);
  std::vector<float> values(10, 1.0f), back(10, 2.0f);
  device_->copy_to_host(back.data(), a, 40);
  EXPECT_EQ(back, std::vector<float>(10, 0.0f));
  device_->copy_from_host(a, values.data(), 40);
  device_->copy(b, a, 40);
  device_->copy_to_host(back.data(), b, 40);
  EXPECT_EQ(back, values);
  device_->synchronize();
  device_->free(a, 40);
  device_->free(b, 40);
}

// Random programs of every node, one kernel each, a dozen in one program: all bits are equal.
TEST_F(Opencl, RandomProgramsAgree) {
  const int wanted = static_cast<int>(knob_int("MLC_PROPERTY_CASES"));
  const int cases = wanted > 0 ? wanted : 24;
  for (int first = 0; first < cases; first += 12) {
    std::vector<ir::RandomProgram> programs;
    std::vector<PrimFunc> functions;
    for (int i = 0; i < 12; ++i) {
      ir::RandomOptions options;
      options.lowered = i % 2 == 0;
      programs.push_back(ir::random_program(static_cast<uint64_t>(900000 + first + i), options));
      functions.push_back(programs.back().func);
      functions.back().name = fmt::format("random_{}", first + i);
    }
    auto emitted = emit_c(lowered(functions), opencl());
    ASSERT_TRUE(emitted) << emitted.error().message;
    auto built = build(*emitted);
    ASSERT_TRUE(built);
    for (size_t i = 0; i < programs.size(); ++i) {
      const auto& p = programs[i];
      const Data want = interpreted(p.func, p.buffers, p.sizes);
      const Data got = run(*built, emitted->functions[i], p.buffers, p.sizes);
      for (size_t b = 0; b < want.size(); ++b) {
        const int64_t at = ir::first_difference(p.func.buffers[b]->dtype, want[b], got[b]);
        EXPECT_EQ(at, -1) << functions[i].name << ", buffer " << p.func.buffers[b]->name << "\n" << ir::print(p.func);
      }
    }
  }
}

}  // namespace
}  // namespace mlc::codegen
