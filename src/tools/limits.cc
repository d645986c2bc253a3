#include "tools/limits.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "codegen/llvm/jit.h"
#include "ir/func.h"
#include "lower/pipeline.h"
#include "runtime/device.h"
#include "runtime/tensor.h"

namespace mlc::tools {
namespace {

using ir::Buffer;
using ir::Expr;
using ir::Stmt;
using ir::Var;

constexpr int64_t kStreams = 4;
constexpr int64_t kReadBytes = int64_t{1} << 30;
constexpr int64_t kPrefetchWords = 2048 / 4;
constexpr int kAccumulators = 12;
constexpr int64_t kDotRounds = 2'000'000;

// Sums `data` as i32 vectors: each worker walks four streams side by side.
ir::PrimFunc read_kernel() {
  const int64_t words = kReadBytes / 4, blocks = 64;
  const int64_t per_stream = words / blocks / kStreams;
  const Buffer data = ir::buffer("data", DType::i32(), {blocks, kStreams, per_stream});
  const Buffer out = ir::buffer("out", DType::i32(), {blocks, 16});
  const Buffer sums = ir::buffer("sums", DType::i32(), {kStreams, 16}, ir::Scope::kLocal);
  const Expr lanes = ir::ramp(0, 1, 16);
  ir::PrimFunc f;
  f.name = "read_limit";
  f.buffers = {data, out};
  f.body = ir::for_(
      "b", 0, blocks,
      [&](Var b) {
        std::vector<Stmt> clear, add;
        Expr total;
        for (int s = 0; s < kStreams; ++s) {
          clear.push_back(ir::store(sums, {s, lanes}, ir::imm(DType::i32().with_lanes(16), 0)));
          total = total ? total + ir::load(sums, {s, lanes}) : ir::load(sums, {s, lanes});
        }
        Stmt loop = ir::for_("i", 0, per_stream / 64, [&](Var i) {
          std::vector<Stmt> body;
          for (int s = 0; s < kStreams; ++s) {
            for (int l = 0; l < 4; ++l) {
              const Expr at = Expr(i) * 64 + 16 * l;
              body.push_back(ir::prefetch(data, {b, s, at + kPrefetchWords}));
              body.push_back(ir::store(sums, {s, lanes},
                                       ir::load(sums, {s, lanes}) + ir::load(data, {b, s, ir::ramp(at, 1, 16)})));
            }
          }
          return ir::seq(body);
        });
        return ir::allocate(sums, ir::seq({ir::seq(clear), loop, ir::store(out, {b, lanes}, total)}));
      },
      ir::ForKind::kParallel);
  return f;
}

// Independent chains of dot products in registers.
ir::PrimFunc dot_kernel() {
  const DType vec = DType::i32().with_lanes(16);
  const Buffer in = ir::buffer("in", DType::i32(), {2, 16});
  const Buffer out = ir::buffer("out", DType::i32(), {64, kAccumulators, 16});
  const Buffer sums = ir::buffer("sums", DType::i32(), {kAccumulators, 16}, ir::Scope::kLocal);
  const Expr lanes = ir::ramp(0, 1, 16);
  const Var workers = ir::var("workers"), rounds = ir::var("rounds");
  ir::PrimFunc f;
  f.name = "dot_limit";
  f.buffers = {in, out};
  f.sizes = {workers, rounds};
  f.body = ir::for_(
      "w", 0, workers,
      [&](Var w) {
        std::vector<Stmt> clear, step, write;
        for (int i = 0; i < kAccumulators; ++i) {
          clear.push_back(ir::store(sums, {i, lanes}, ir::imm(vec, i)));
          step.push_back(
              ir::store(sums, {i, lanes},
                        ir::call(vec, "dot4_u7s8",
                                 {ir::load(sums, {i, lanes}), ir::load(in, {0, lanes}), ir::load(in, {1, lanes})})));
          write.push_back(ir::store(out, {w, i, lanes}, ir::load(sums, {i, lanes})));
        }
        Stmt loop = ir::for_("r", 0, rounds, [&](Var) { return ir::seq(step); });
        return ir::allocate(sums, ir::seq({ir::seq(clear), loop, ir::seq(write)}));
      },
      ir::ForKind::kParallel);
  return f;
}

template <typename F>
double median_seconds(int runs, F&& f) {
  std::vector<double> seconds;
  for (int i = 0; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

}  // namespace

Result<MachineLimits> measure_limits(const target::Target& target, ThreadPool& pool) {
  ir::Module module{{read_kernel(), dot_kernel()}};
  MLC_TRY(module, lower::run(module, target));
  MLC_TRY(auto jit, codegen::JitLibrary::compile(module, target));
  const auto read = jit.kernel("read_limit"), dot = jit.kernel("dot_limit");
  MachineLimits limits;
  std::vector<int32_t> out(64 * kAccumulators * 16 + 16), in(48, 0x01010101);
  auto aligned = [](auto& v) {
    return reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(v.data()) + 63) & ~uintptr_t{63});
  };
  {
    MLC_TRY(auto data, runtime::Tensor::create(runtime::make_cpu_device(), DType::i32(), {kReadBytes / 4}));
    std::fill_n(data.as<int32_t>(), kReadBytes / 4, 1);
    void* buffers[] = {data.data(), aligned(out)};
    limits.read_gb_per_s =
        kReadBytes / 1e9 / median_seconds(5, [&] { pool.run([&](int w, int n) { read(buffers, nullptr, w, n); }); });
  }
  void* buffers[] = {aligned(in), aligned(out)};
  const int64_t sizes[] = {pool.num_workers(), kDotRounds};
  const double ops = 2.0 * 64 * kAccumulators * kDotRounds * pool.num_workers();
  limits.int8_tops =
      ops / 1e12 / median_seconds(5, [&] { pool.run([&](int w, int n) { dot(buffers, sizes, w, n); }); });
  return limits;
}

}  // namespace mlc::tools
