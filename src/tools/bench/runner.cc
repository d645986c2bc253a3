#include "tools/bench/runner.h"

#include <algorithm>
#include <chrono>

#include "loader/compiler/compile_options.h"
#include "loader/compiler/limits.h"
#include "loader/library.h"
#include "loader/workers.h"
#include "model/presets.h"
#include "runtime/module.h"
#include "runtime/param_store.h"
#include "weights/open.h"

namespace mlc::tools::bench {
namespace {

constexpr int64_t kLeastContext = 4096;  // that a shape is compiled for

int64_t pages_for(int64_t tokens) { return (tokens + artifact::kPageSize - 1) / artifact::kPageSize; }

// Cache memory that nobody wrote is one shared page of zeros, which is read at the speed of the processor's caches:
// give it values, small ones of both signs.
void fill_kv(engine::CpuModelRunner& runner) {
  for (runtime::Tensor& t : runner.kv()) {
    auto* halves = t.as<uint16_t>();
    uint32_t state = 1;
    for (int64_t i = 0; i < t.bytes() / 2; ++i) {
      state = state * 1664525 + 1013904223;
      halves[i] = static_cast<uint16_t>(0x3000 | (state >> 16 & 0x83ff));  // f16: 0.125 … 0.25, either sign
    }
  }
}

}  // namespace

Result<void> Runner::load(const Spec& spec) {
  MLC_TRY(auto cache, artifact::Cache::open());
  pool_ = loader::make_workers(spec.flags.threads);
  std::shared_ptr<const runtime::ParamStore> params;
  if (!spec.preset.empty()) {
    loader::ModelDir dir;
    MLC_TRY(dir.config.model, model::preset_config(spec.preset));
    dir.config.quantization = spec.flags.quantization;
    const int64_t limit = dir.config.model.context_limit();
    const int64_t longest = longest_sequence(phases_of(spec, limit));
    if (longest > limit) {
      return error("prompt, depth and generated tokens are {} together, but the context is {}", longest, limit);
    }
    dir.config.context_window_size = std::min(limit, std::max(longest, kLeastContext));
    MLC_TRY(std::string lib, loader::find_library(cache, dir, spec.flags));
    MLC_TRY(module_, runtime::Module::load(lib));
    MLC_TRY(params, runtime::ParamStore::synthetic(*module_, *pool_, loader::kSyntheticSeed));
  } else {
    MLC_TRY(loader::ModelDir dir, loader::open_model_dir(cache, spec.flags));
    MLC_TRY(std::string lib, loader::find_library(cache, dir, spec.flags));
    MLC_TRY(module_, runtime::Module::load(lib));
    MLC_TRY(auto source, weights::open_weights(dir.dir));
    MLC_TRY(params, runtime::ParamStore::open(*module_, *source, *pool_, {}));
  }
  MLC_TRY(auto target, loader::resolve_device(spec.flags));
  MLC_TRY(auto limits, loader::profile_limits(target, *pool_));
  runner_ = std::make_unique<engine::CpuModelRunner>(module_, params, pool_, false, limits);
  phases_ = phases_of(spec, artifact().facts.context_window_size);
  return {};
}

Result<void> Runner::check_phases() const {
  const artifact::ModelFacts& f = artifact().facts;
  const int64_t longest = longest_sequence(phases_);
  if (longest > f.context_window_size) {
    return error("prompt, depth and generated tokens are {} together, but the context is {}", longest,
                 f.context_window_size);
  }
  const int64_t rows = std::min(f.max_batch_size, f.prefill_chunk_size);
  for (const Phase& p : phases_) {
    if (p.sequences > rows) {
      return error("--batch: found {}, but a step of this model has at most {} sequences", p.sequences, rows);
    }
  }
  return {};
}

Result<std::unique_ptr<Runner>> Runner::create(const Spec& spec) {
  std::unique_ptr<Runner> r(new Runner);
  MLC_TRY_VOID(r->load(spec));
  MLC_TRY_VOID(r->check_phases());
  MLC_TRY_VOID(r->runner_->allocate_kv(pages_for(cached_tokens(r->phases_))));
  fill_kv(*r->runner_);
  return r;
}

// A row of a sequence whose pages begin at `first_page` and whose page table begins at `table`.
void Runner::add_row(int64_t sequence, int64_t first_page, int64_t table, int64_t position, bool logits) {
  const auto row = static_cast<int32_t>(plan_.token_ids.size());
  const auto id = static_cast<engine::RequestId>(sequence + 1);
  plan_.token_ids.push_back(static_cast<int32_t>((position + sequence) * 7919 % artifact().facts.vocab_size));
  plan_.positions.push_back(static_cast<int32_t>(position));
  plan_.slots.push_back(static_cast<int32_t>(first_page * artifact::kPageSize + position));
  plan_.table_start.push_back(static_cast<int32_t>(table));
  if (!logits) return;
  plan_.logit_rows.push_back(row);
  plan_.logits.push_back({id, true, -1});
}

Result<double> Runner::run(const Phase& phase) {
  const auto begin = std::chrono::steady_clock::now();
  const bool prefill = phase.kind == PhaseKind::kPrefill;
  const int64_t chunk = prefill ? artifact().facts.prefill_chunk_size : 1;
  const int64_t pages = pages_for(phase.depth + phase.tokens);
  for (int64_t done = 0; done < phase.tokens; done += chunk) {
    const int64_t rows = std::min(chunk, phase.tokens - done), start = phase.depth + done;
    const int64_t used = pages_for(start + rows);  // by a sequence, until now
    plan_.clear();
    for (int64_t s = 0; s < phase.sequences; ++s) {
      plan_.chunks.push_back({static_cast<engine::RequestId>(s + 1), static_cast<int32_t>(plan_.num_rows()),
                              static_cast<int32_t>(rows), !prefill});
      for (int64_t i = 0; i < rows; ++i) {
        add_row(s, s * pages, s * used, start + i, !prefill || done + i + 1 == phase.tokens);
      }
      for (int64_t p = 0; p < used; ++p) plan_.block_tables.push_back(static_cast<int32_t>(s * pages + p));
    }
    MLC_TRY(auto logits, runner_->run(plan_));
    (void)logits;
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace mlc::tools::bench
