// Converts, compiles, loads and runs a model in a test, step by step, with every logit that is asked for.
//
//   MLC_TRY(auto h, ModelHarness::create(config, *checkpoint, "q4f16_1", {.activation = kInt8}));
//   h->run(sequences, chunk, [&](int seq, int64_t pos, std::span<const float> logits) { … });
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/cpu_count.h"
#include "base/file.h"
#include "base/thread_pool.h"
#include "codegen/llvm/host.h"
#include "compiler/compile.h"
#include "engine/cpu_runner.h"
#include "engine/step.h"
#include "model/convert.h"
#include "quant/scheme.h"
#include "runtime/module.h"
#include "runtime/param_store.h"
#include "weights/open.h"

namespace mlc::testing {

class ModelHarness {
 public:
  using OnLogits = std::function<void(int sequence, int64_t position, std::span<const float> logits)>;

  static Result<std::unique_ptr<ModelHarness>> create(const model::ModelConfig& config,
                                                      const weights::TensorSource& checkpoint,
                                                      const std::string& scheme_name, graph::Activation activation,
                                                      int64_t max_tokens, std::optional<DType> kv_dtype = {},
                                                      int threads = 2) {
    auto h = std::make_unique<ModelHarness>();
    MLC_TRY(TempDir tmp, TempDir::create());
    MLC_TRY(const quant::Scheme* scheme, quant::scheme_by_name(scheme_name));
    MLC_TRY(auto report, model::convert(checkpoint, config, *scheme, tmp.path()));
    (void)report;
    compiler::CompileOptions options;
    MLC_TRY(options.target, codegen::native_target());
    options.activation = activation;
    options.kv_dtype = kv_dtype;
    options.opt_level = 1;
    options.num_threads = usable_cpu_count();
    options.context_window_size = std::min(config.context_limit(), max_tokens);
    options.max_batch_size = 512;
    MLC_TRY(auto artifact, compiler::compile_model(config, scheme_name, options, tmp.file("lib.so")));
    (void)artifact;
    MLC_TRY(h->module_, runtime::Module::load(tmp.file("lib.so")));
    h->pool_ = std::make_shared<ThreadPool>(threads);
    MLC_TRY(auto source, weights::open_weights(tmp.path()));
    MLC_TRY(h->params_, runtime::ParamStore::open(*h->module_, *source, *h->pool_, {}));
    h->runner_ = std::make_unique<engine::CpuModelRunner>(h->module_, h->params_, h->pool_);
    h->pages_per_sequence_ = (max_tokens + 15) / 16;
    MLC_TRY_VOID(h->runner_->allocate_kv(h->pages_per_sequence_ * kMaxSequences));
    return h;
  }

  int64_t vocab_size() const { return module_->artifact().facts.vocab_size; }
  int64_t max_rows() const { return module_->artifact().facts.prefill_chunk_size; }

  // Feeds each sequence from position 0, at most `chunk` tokens of each per step, until all are through. Every row's
  // logits are reported. Sequences get scattered pages, so that page tables matter.
  Result<void> run(const std::vector<std::vector<int32_t>>& sequences, int64_t chunk, const OnLogits& on_logits) {
    std::vector<int64_t> done(sequences.size(), 0);
    for (;;) {
      engine::StepPlan plan;
      std::vector<std::pair<int, int64_t>> rows;
      for (size_t s = 0; s < sequences.size(); ++s) {
        const int64_t room = max_rows() - static_cast<int64_t>(rows.size());
        const int64_t n = std::min({chunk, room, static_cast<int64_t>(sequences[s].size()) - done[s]});
        if (n <= 0) continue;
        const auto table = static_cast<int32_t>(plan.block_tables.size());
        for (int64_t p = 0; p * 16 < done[s] + n; ++p) plan.block_tables.push_back(page(s, p));
        plan.chunks.push_back({s + 1, static_cast<int32_t>(rows.size()), static_cast<int32_t>(n), n == 1});
        for (int64_t i = 0; i < n; ++i) {
          const int64_t pos = done[s] + i;
          plan.token_ids.push_back(sequences[s][static_cast<size_t>(pos)]);
          plan.positions.push_back(static_cast<int32_t>(pos));
          plan.slots.push_back(page(s, pos / 16) * 16 + static_cast<int32_t>(pos % 16));
          plan.table_start.push_back(table);
          plan.logit_rows.push_back(static_cast<int32_t>(rows.size()));
          plan.logits.push_back({s + 1, true, -1});
          rows.emplace_back(static_cast<int>(s), pos);
        }
        done[s] += n;
      }
      if (rows.empty()) return {};
      MLC_TRY(std::span<float> logits, runner_->run(plan));
      const auto v = static_cast<size_t>(vocab_size());
      for (size_t r = 0; r < rows.size(); ++r) on_logits(rows[r].first, rows[r].second, logits.subspan(r * v, v));
    }
  }

  // Prompt, then `count` greedy tokens, one row per step.
  Result<std::vector<int32_t>> greedy(std::vector<int32_t> tokens, size_t count) {
    while (count-- > 0) {
      int32_t best = 0;
      const auto last = static_cast<int64_t>(tokens.size()) - 1;
      // The whole text again each time would hide cache errors, so only the first step is a prompt.
      MLC_TRY_VOID(step(tokens, last == 0 || started_ == 0 ? 0 : last, [&](std::span<const float> logits) {
        best = static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
      }));
      tokens.push_back(best);
    }
    started_ = 0;
    return tokens;
  }

 private:
  static constexpr int64_t kMaxSequences = 5;

  int32_t page(size_t sequence, int64_t index) const {
    // Interleaved, so that neighbours in memory belong to different sequences.
    return static_cast<int32_t>(index * kMaxSequences + static_cast<int64_t>(sequence));
  }

  Result<void> step(const std::vector<int32_t>& tokens, int64_t from,
                    const std::function<void(std::span<const float>)>& f) {
    engine::StepPlan plan;
    const auto size = static_cast<int64_t>(tokens.size());
    for (int64_t p = 0; p * 16 < size; ++p) plan.block_tables.push_back(page(0, p));
    for (int64_t pos = from; pos < size; ++pos) {
      plan.token_ids.push_back(tokens[static_cast<size_t>(pos)]);
      plan.positions.push_back(static_cast<int32_t>(pos));
      plan.slots.push_back(page(0, pos / 16) * 16 + static_cast<int32_t>(pos % 16));
      plan.table_start.push_back(0);
    }
    plan.chunks.push_back({1, 0, static_cast<int32_t>(size - from), size - from == 1});
    plan.logit_rows = {static_cast<int32_t>(size - from - 1)};
    plan.logits = {{1, true, -1}};
    MLC_TRY(std::span<float> logits, runner_->run(plan));
    f(logits);
    started_ = 1;
    return {};
  }

  std::shared_ptr<ThreadPool> pool_;
  std::shared_ptr<const runtime::Module> module_;
  std::shared_ptr<const runtime::ParamStore> params_;
  std::unique_ptr<engine::CpuModelRunner> runner_;
  int64_t pages_per_sequence_ = 0;
  int started_ = 0;
};

}  // namespace mlc::testing
