#include "engine/cpu_runner.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/span.h"

namespace mlc::engine {
namespace {

using artifact::Symbol;

constexpr std::array kInt32Inputs = {"token_ids", "positions", "slots", "table_start", "block_tables", "logit_rows"};
constexpr std::array kRopeInputs = {"rope_cos", "rope_sin"};

bool is_known_input(const artifact::TensorSpec& spec) {
  auto in = [&](const auto& names) { return std::find(names.begin(), names.end(), spec.name) != names.end(); };
  return (in(kInt32Inputs) && spec.dtype == DType::i32()) || (in(kRopeInputs) && spec.dtype == DType::f32());
}

// Libraries compiled by older versions have none.
bool has_hidden(const artifact::Artifact& a) {
  return std::any_of(a.outputs.begin(), a.outputs.end(), [&](const artifact::TensorSpec& spec) {
    return spec.name == "hidden" && spec.dtype == DType::f32() && spec.shape.size() == 2 &&
           spec.shape[1] == a.facts.hidden_size;
  });
}

artifact::TensorSpec with_pages(artifact::TensorSpec spec, int64_t num_pages) {
  for (int64_t& d : spec.shape) d = d < 0 ? num_pages : d;
  return spec;
}

}  // namespace

CpuModelRunner::CpuModelRunner(std::shared_ptr<const runtime::Module> module,
                               std::shared_ptr<const runtime::ParamStore> params, std::shared_ptr<ThreadPool> pool,
                               bool profile, const runtime::MachineLimits& limits)
    : module_(std::move(module)),
      params_(std::move(params)),
      pool_(std::move(pool)),
      profile_(profile),
      limits_(limits) {}

int64_t CpuModelRunner::kv_bytes_per_page() const {
  int64_t bytes = 0;
  for (const auto& spec : module_->artifact().kv) bytes += with_pages(spec, 1).bytes();
  return bytes;
}

RunnerLimits CpuModelRunner::limits() const {
  const auto& f = module_->artifact().facts;
  RunnerLimits l;
  l.vocab_size = f.vocab_size;
  if (has_hidden(module_->artifact())) l.hidden_size = f.hidden_size;
  l.context_window = f.context_window_size;
  l.max_rows = f.prefill_chunk_size;
  l.max_logit_rows = f.max_batch_size;
  l.page_size = artifact::kPageSize;
  l.kv_bytes_per_page = std::max<int64_t>(1, kv_bytes_per_page());
  l.available_bytes = runtime::make_cpu_device()->memory_info().available_bytes;
  l.allowed_bytes = static_cast<int64_t>(static_cast<double>(l.available_bytes) * memory_share_);
  l.max_kv_pages = l.allowed_bytes / l.kv_bytes_per_page;
  return l;
}

Result<void> CpuModelRunner::allocate_kv(int64_t num_pages) {
  const auto& a = module_->artifact();
  const auto& f = a.facts;
  for (const auto& spec : a.inputs) {
    if (!is_known_input(spec)) {
      return error(ErrorCode::kUnsupported, "{}: the input {} ({}) is unknown to this program; compile the model again",
                   module_->path(), spec.name, spec.dtype.str());
    }
  }
  for (const auto& spec : a.outputs) {
    if (spec.name == "logits" && spec.shape.size() == 2 && spec.shape[1] >= f.vocab_size)
      logits_stride_ = spec.shape[1];
  }
  if (logits_stride_ == 0) {
    return error(ErrorCode::kCorrupt, "{}: it has no logits for {} tokens; compile the model again", module_->path(),
                 f.vocab_size);
  }
  const auto device = runtime::make_cpu_device();
  const int64_t needed = num_pages * kv_bytes_per_page();
  const int64_t available = device->memory_info().available_bytes;
  if (needed > available) {
    return error(
        ErrorCode::kUnavailable,
        "a KV cache for {} tokens needs {} MiB, but only {} MiB of memory are available; use a smaller context "
        "window, fewer sequences or a smaller max_total_seq_length",
        num_pages * artifact::kPageSize, needed >> 20, available >> 20);
  }
  const int64_t pages_per_sequence = (f.context_window_size + artifact::kPageSize - 1) / artifact::kPageSize;
  runtime::PlanExecutor::Options options;
  options.max_block_table_length = f.max_batch_size * pages_per_sequence;
  options.profile = profile_;
  options.limits = limits_;
  MLC_TRY(executor_, runtime::PlanExecutor::create(module_, params_, *pool_, options));
  std::vector<void*> pointers;
  kv_.clear();
  for (const auto& spec : a.kv) {
    MLC_TRY(runtime::Tensor t, runtime::Tensor::create(device, spec.dtype, with_pages(spec, num_pages).shape));
    pointers.push_back(t.data());
    kv_.push_back(std::move(t));
  }
  executor_->bind_kv(pointers, num_pages);
  num_pages_ = num_pages;
  return {};
}

// Padding rows repeat the last row: kernels that work on whole tiles read them, so they must hold valid indices.
void CpuModelRunner::fill_rows(std::string_view name, const std::vector<int32_t>& values) {
  if (!executor_->has_input(name) || values.empty()) return;
  const auto to = executor_->input<int32_t>(name);
  const size_t padded = (values.size() + artifact::kRowPadding - 1) / artifact::kRowPadding * artifact::kRowPadding;
  MLC_CHECK(padded <= to.size(), "{} values for {} of {}", values.size(), name, to.size());
  std::copy(values.begin(), values.end(), to.begin());
  std::fill(to.begin() + static_cast<std::ptrdiff_t>(values.size()), to.begin() + static_cast<std::ptrdiff_t>(padded),
            values.back());
}

void rope_row(const artifact::Rope& rope, int32_t position, float* cos, float* sin) {
  for (size_t i = 0; i < rope.inv_freq.size(); ++i) {
    const float angle = static_cast<float>(position) * rope.inv_freq[i];
    cos[i] = static_cast<float>(std::cos(static_cast<double>(angle))) * rope.attention_scaling;
    sin[i] = static_cast<float>(std::sin(static_cast<double>(angle))) * rope.attention_scaling;
  }
}

void CpuModelRunner::fill_rope(const StepPlan& plan) {
  if (!executor_->has_input("rope_cos") || !executor_->has_input("rope_sin")) return;
  const auto& rope = module_->artifact().facts.rope;
  const auto cos = executor_->input<float>("rope_cos"), sin = executor_->input<float>("rope_sin");
  const size_t width = rope.inv_freq.size();
  for (size_t row = 0; row < plan.positions.size(); ++row) {
    rope_row(rope, plan.positions[row], cos.data() + row * width, sin.data() + row * width);
  }
}

void CpuModelRunner::copy_page(const PageCopy& copy) {
  for (runtime::Tensor& t : kv_) {
    const auto bytes = static_cast<size_t>(t.bytes() / num_pages_);
    auto* data = static_cast<std::byte*>(t.data());
    std::memcpy(data + static_cast<size_t>(copy.to) * bytes, data + static_cast<size_t>(copy.from) * bytes, bytes);
  }
}

Result<std::span<float>> CpuModelRunner::run(const StepPlan& plan) {
  MLC_SPAN("engine.run_model");
  MLC_CHECK(executor_ != nullptr, "run() before allocate_kv()");
  for (const PageCopy& copy : plan.copies) copy_page(copy);
  fill_rows("token_ids", plan.token_ids);
  fill_rows("positions", plan.positions);
  fill_rows("slots", plan.slots);
  fill_rows("table_start", plan.table_start);
  fill_rows("block_tables", plan.block_tables);
  fill_rows("logit_rows", plan.logit_rows);
  fill_rope(plan);
  artifact::SymbolValues symbols;
  symbols[Symbol::kNumTokens] = plan.num_rows();
  symbols[Symbol::kNumLogitRows] = plan.num_logit_rows();
  symbols[Symbol::kBlockTableLength] = static_cast<int64_t>(plan.block_tables.size());
  executor_->run(symbols);
  hidden_rows_ = plan.num_logit_rows();
  const auto logits = executor_->output<float>("logits");
  const int64_t vocab = module_->artifact().facts.vocab_size;
  // Rows may be padded to whole vectors; outside they are dense.
  for (int64_t row = 1; logits_stride_ != vocab && row < plan.num_logit_rows(); ++row) {
    std::copy_n(logits.data() + row * logits_stride_, vocab, logits.data() + row * vocab);
  }
  return logits.first(static_cast<size_t>(plan.num_logit_rows() * vocab));
}

std::span<const float> CpuModelRunner::hidden() const {
  if (executor_ == nullptr || !has_hidden(module_->artifact())) return {};
  return executor_->output<float>("hidden").first(
      static_cast<size_t>(hidden_rows_ * module_->artifact().facts.hidden_size));
}

}  // namespace mlc::engine
