#include "loader/compiler/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "base/knobs.h"
#include "loader/compiler/limits_kernels.h"
#include "lower/pipeline.h"
#include "lower/sum_in_i16.h"
#include "runtime/device.h"

namespace mlc::loader {
namespace {

constexpr size_t kLeading = 4;  // patterns that rounds measure
constexpr int kRepeats = 3;     // of each, per round; the best counts
// Of one compute call, and of the work before a round. A worker that was parked often wakes on the core of its waker;
// the system spreads threads within some tens of milliseconds, and until then two cores look like one.
constexpr double kComputeSeconds = 20e-3, kSpreadSeconds = 60e-3;

template <typename F>
double seconds_of(F&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

std::string read_name(int streams, int prefetch) { return fmt::format("read_{}_{}", streams, prefetch); }

}  // namespace

Result<std::unique_ptr<LimitsProbe>> LimitsProbe::create(const target::Target& target, ThreadPool& pool) {
  std::vector<Pattern> patterns;
  // A sum is as wide as a 512-bit register; what has narrower ones has fewer of them, too.
  const int sums = std::clamp(kMaxAccumulators * target.vector_bits() / 512, 3, kMaxAccumulators);
  const bool by_codes = lower::sums_in_i16(target);
  ir::Module module{{by_codes ? codes_probe("dot_limit", sums) : dot_probe("dot_limit", sums),
                     fma_probe("fma_limit", sums), bf16_probe("bf16_limit", sums)}};
  for (int streams : {1, 2, 4, 8}) {
    for (int prefetch : {0, 1024, 2048, 4096}) {
      patterns.push_back({streams, prefetch, nullptr, 0});
      module.functions.push_back(read_probe(read_name(streams, prefetch), streams, prefetch));
    }
  }
  MLC_TRY(module, lower::run(module, target));
  MLC_TRY(auto jit, codegen::JitLibrary::compile(module, target));
  std::unique_ptr<LimitsProbe> p(new LimitsProbe(std::move(jit), pool));
  const auto device = runtime::make_cpu_device();
  const int64_t out_rows = std::max<int64_t>(kProbeBlocks, int64_t{sums} * pool.num_workers());
  MLC_TRY(p->data_, runtime::Tensor::create(device, DType::i32(), {kProbeBytes / 4}));
  MLC_TRY(p->out_, runtime::Tensor::create(device, DType::i32(), {out_rows, kProbeLanes}));
  MLC_TRY(p->operands_, runtime::Tensor::create(device, DType::i32(), {kProbeOperands, kProbeLanes}));
  p->num_sums_ = sums;
  p->dot_steps_ = by_codes ? kCodeSteps : 1;
  pool.run([&](int worker, int n) {  // by all, so that the pages lie near those that read them
    const int64_t words = kProbeBytes / 4, first = words * worker / n, last = words * (worker + 1) / n;
    std::fill(p->data_.as<int32_t>() + first, p->data_.as<int32_t>() + last, 1);
  });
  for (Pattern& pattern : patterns) {
    pattern.fn = p->jit_.kernel(read_name(pattern.streams, pattern.prefetch_bytes));
    MLC_CHECK(pattern.fn != nullptr, "no read probe");
  }
  p->dot_ = p->jit_.kernel("dot_limit");
  p->fma_ = p->jit_.kernel("fma_limit");
  p->bf16_ = p->jit_.kernel("bf16_limit");
  // Two passes over all patterns, then the leading ones only.
  std::vector<std::pair<double, Pattern>> ranked;
  p->patterns_ = {patterns.front()};
  p->spread_threads();
  p->patterns_.clear();
  for (const Pattern& pattern : patterns) ranked.emplace_back(p->read_seconds(pattern), pattern);
  for (auto& [seconds, pattern] : ranked) seconds = std::min(seconds, p->read_seconds(pattern));
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < std::min(kLeading, ranked.size()); ++i) p->patterns_.push_back(ranked[i].second);
  return p;
}

double LimitsProbe::read_seconds(const Pattern& pattern) {
  void* buffers[] = {data_.data(), out_.data()};
  return seconds_of([&] { pool_.run([&](int w, int n) { pattern.fn(buffers, nullptr, w, n); }); });
}

double LimitsProbe::compute_ops_per_s(artifact::KernelFn fn, double ops_per_round, int64_t& kernel_rounds) {
  void* buffers[] = {operands_.data(), out_.data()};
  auto run = [&](int64_t rounds) {
    const int64_t sizes[] = {pool_.num_workers(), rounds};
    return seconds_of([&] { pool_.run([&](int w, int n) { fn(buffers, sizes, w, n); }); });
  };
  if (kernel_rounds == 0) {
    for (kernel_rounds = 1 << 14; run(kernel_rounds) < kComputeSeconds / 2; kernel_rounds *= 2) {
    }
  }
  double best = run(kernel_rounds);
  for (int i = 1; i < kRepeats; ++i) best = std::min(best, run(kernel_rounds));
  return ops_per_round * static_cast<double>(kernel_rounds) / best;
}

void LimitsProbe::spread_threads() {
  for (double busy = 0; busy < kSpreadSeconds;) busy += read_seconds(patterns_.front());
}

void LimitsProbe::round() {
  spread_threads();
  double best = 0;
  size_t winner = 0;
  for (size_t i = 0; i < patterns_.size() * kRepeats; ++i) {
    const size_t pattern = i % patterns_.size();
    const double speed = static_cast<double>(kProbeBytes) / read_seconds(patterns_[pattern]);
    if (speed > best) best = speed, winner = pattern;
  }
  patterns_[winner].wins += 1;
  read_.push_back(best / 1e9);
  const double mul_adds = 1.0 * kProbeLanes * num_sums_ * pool_.num_workers();
  auto* words = operands_.as<int32_t>();
  std::fill_n(words, operands_.num_elements(), 0x01010101);
  const double dots = mul_adds * static_cast<double>(dot_steps_);
  int8_.push_back(compute_ops_per_s(dot_, 8 * dots, dot_rounds_) / 1e12);
  std::fill_n(operands_.as<float>(), operands_.num_elements(), 1e-3f);
  std::fill_n(out_.as<float>(), out_.num_elements(), 1.0f);
  f32_.push_back(compute_ops_per_s(fma_, 2 * mul_adds, fma_rounds_) / 1e12);
  half_.push_back(compute_ops_per_s(bf16_, 4 * mul_adds, bf16_rounds_) / 1e12);
}

runtime::MachineLimits LimitsProbe::limits() const {
  MLC_CHECK(!read_.empty(), "limits() before a round");
  return {median(read_), median(int8_), median(f32_), median(half_)};
}

std::string LimitsProbe::best_pattern() const {
  const Pattern& best = *std::max_element(patterns_.begin(), patterns_.end(),
                                          [](const Pattern& a, const Pattern& b) { return a.wins < b.wins; });
  return fmt::format(
      "{} address streams per thread, {}", best.streams,
      best.prefetch_bytes == 0 ? "no prefetch" : fmt::format("prefetch {} KiB ahead", best.prefetch_bytes / 1024));
}

Result<runtime::MachineLimits> measure_limits(const target::Target& target, ThreadPool& pool) {
  MLC_TRY(auto probe, LimitsProbe::create(target, pool));
  for (int i = 0; i < 5; ++i) probe->round();
  return probe->limits();
}

Result<runtime::MachineLimits> profile_limits(const target::Target& target, ThreadPool& pool) {
  if (!knob_bool("MLC_PROFILE")) return runtime::MachineLimits{};
  return measure_limits(target, pool);
}

}  // namespace mlc::loader
