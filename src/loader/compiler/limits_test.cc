#include "loader/compiler/limits.h"

#include <gtest/gtest.h>

#include <numeric>

#include "codegen/llvm/host.h"
#include "loader/compiler/limits_kernels.h"
#include "lower/pipeline.h"

namespace mlc::loader {
namespace {

target::Target host() { return *codegen::native_target(); }

TEST(Limits, ProbesDoTheWorkThatIsCounted) {
  constexpr int kSums = 6;
  ir::Module module{
      {read_probe("read", 2, 1024), dot_probe("dot", kSums), codes_probe("codes", kSums), fma_probe("fma", kSums)}};
  auto lowered = lower::run(module, host());
  ASSERT_TRUE(lowered) << lowered.error().message;
  auto jit = codegen::JitLibrary::compile(*lowered, host());
  ASSERT_TRUE(jit) << jit.error().message;
  const auto device = runtime::make_cpu_device();
  auto data = runtime::Tensor::create(device, DType::i32(), {kProbeBytes / 4});
  auto out = runtime::Tensor::create(device, DType::i32(), {kProbeBlocks, kProbeLanes});
  ASSERT_TRUE(data && out);
  std::fill_n(data->as<int32_t>(), kProbeBytes / 4, 1);
  void* read[] = {data->data(), out->data()};
  for (int worker : {0, 1}) jit->kernel("read")(read, nullptr, worker, 2);
  const auto* sums = out->as<int32_t>();
  EXPECT_EQ(std::accumulate(sums, sums + out->num_elements(), int64_t{0}), kProbeBytes / 4);

  alignas(64) int32_t words[kProbeOperands * kProbeLanes], dots[2 * kSums * kProbeLanes] = {};
  std::fill_n(words, kProbeOperands * kProbeLanes, 0x01010101);
  const int64_t sizes[] = {2, 10};
  void* dot[] = {words, dots};
  for (int worker : {0, 1}) jit->kernel("dot")(dot, sizes, worker, 2);
  for (int32_t v : dots) ASSERT_EQ(v, 10 * 4);
  std::fill(std::begin(dots), std::end(dots), 0);
  for (int worker : {0, 1}) jit->kernel("codes")(dot, sizes, worker, 2);
  for (int32_t v : dots) ASSERT_EQ(v, 10 * 4 * kCodeSteps);
  alignas(64) float operands[kProbeOperands * kProbeLanes], fmas[2 * kSums * kProbeLanes] = {};
  std::fill_n(operands, kProbeOperands * kProbeLanes, 0.5f);
  void* fma[] = {operands, fmas};
  for (int worker : {0, 1}) jit->kernel("fma")(fma, sizes, worker, 2);
  for (float v : fmas) ASSERT_EQ(v, 2.5f);
}

TEST(Limits, AreMediansOfRounds) {
  ThreadPool pool(1);
  auto probe = LimitsProbe::create(host(), pool);
  ASSERT_TRUE(probe) << probe.error().message;
  for (int i = 0; i < 3; ++i) (*probe)->round();
  EXPECT_EQ((*probe)->rounds(), 3);
  const runtime::MachineLimits l = (*probe)->limits();
  EXPECT_TRUE(l.known());
  EXPECT_GT(l.read_gb_per_s, 0.01);
  EXPECT_GT(l.int8_tops, 0.0001);
  EXPECT_GT(l.f32_tflops, 0.0001);
  EXPECT_NE((*probe)->best_pattern().find("address streams"), std::string::npos);
}

}  // namespace
}  // namespace mlc::loader
