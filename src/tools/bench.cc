// mlc_llm bench: prefill and decode speed of a model shape or directory, beside this machine's limits.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "artifact/artifact.h"
#include "base/file.h"
#include "base/thread_pool.h"
#include "engine/cpu_runner.h"
#include "engine/step.h"
#include "model/presets.h"
#include "runtime/module.h"
#include "runtime/param_store.h"
#include "tools/command.h"
#include "tools/limits.h"
#include "tools/load.h"
#include "tools/progress.h"
#include "weights/open.h"

namespace mlc::tools {
namespace {

struct Options {
  ModelFlags flags;
  std::string preset;
  bool synthetic = false;
  std::vector<int64_t> prompt_lengths = {512};
  std::vector<int64_t> batches;  // sequences decoded together
  int64_t generate = 64, depth = 0, runs = 5;
  std::string json;
};

// A model whose steps are driven directly, without an engine around them.
class Bench {
 public:
  static Result<std::unique_ptr<Bench>> create(const Options& o, int64_t max_tokens, int64_t cached_tokens);

  // Seconds to compute `tokens` rows of one sequence behind `start` computed ones, in chunks; logits of the last row.
  Result<double> prefill(int64_t start, int64_t tokens);
  // Seconds for `tokens` single-row steps, each with logits.
  Result<double> decode(int64_t start, int64_t tokens);
  // Seconds for `tokens` steps of one row and its logits for each of `sequences`, each with pages of its own.
  Result<double> decode_batch(int64_t sequences, int64_t start, int64_t tokens);

  const artifact::Artifact& artifact() const { return module_->artifact(); }
  int threads() const { return pool_->num_workers(); }
  ThreadPool& pool() { return *pool_; }

 private:
  Result<void> step(int64_t start, int64_t rows, bool logits);
  std::shared_ptr<ThreadPool> pool_;
  std::shared_ptr<const runtime::Module> module_;
  std::unique_ptr<engine::CpuModelRunner> runner_;
  engine::StepPlan plan_;
};

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

Result<std::unique_ptr<Bench>> Bench::create(const Options& o, int64_t max_tokens, int64_t cached_tokens) {
  MLC_TRY(auto cache, compiler::Cache::open());
  auto b = std::make_unique<Bench>();
  b->pool_ = std::make_shared<ThreadPool>(resolve_threads(o.flags.threads));
  std::shared_ptr<const runtime::ParamStore> params;
  if (!o.preset.empty()) {
    ModelDir dir;
    MLC_TRY(dir.config.model, model::preset_config(o.preset));
    dir.config.quantization = o.flags.quantization;
    dir.config.context_window_size = std::min(dir.config.model.context_limit(), std::max<int64_t>(max_tokens, 4096));
    MLC_TRY(std::string lib, find_library(cache, dir, o.flags));
    MLC_TRY(b->module_, runtime::Module::load(lib));
    MLC_TRY(params, runtime::ParamStore::synthetic(*b->module_, *b->pool_, 1));
  } else {
    MLC_TRY(ModelDir dir, open_model_dir(cache, o.flags));
    MLC_TRY(std::string lib, find_library(cache, dir, o.flags));
    MLC_TRY(b->module_, runtime::Module::load(lib));
    MLC_TRY(auto source, weights::open_weights(dir.dir));
    MLC_TRY(params, runtime::ParamStore::open(*b->module_, *source, *b->pool_, {}));
  }
  b->runner_ = std::make_unique<engine::CpuModelRunner>(b->module_, params, b->pool_);
  const int64_t context = b->artifact().facts.context_window_size;
  if (max_tokens > context) {
    return error("prompt, depth and generated tokens are {} together, but the context is {}", max_tokens, context);
  }
  MLC_TRY_VOID(b->runner_->allocate_kv(pages_for(cached_tokens)));
  fill_kv(*b->runner_);
  return b;
}

Result<void> Bench::step(int64_t start, int64_t rows, bool logits) {
  plan_.clear();
  const int64_t pages = (start + rows + artifact::kPageSize - 1) / artifact::kPageSize;
  for (int64_t i = 0; i < pages; ++i) plan_.block_tables.push_back(static_cast<int32_t>(i));
  for (int64_t i = 0; i < rows; ++i) {
    plan_.token_ids.push_back(static_cast<int32_t>((start + i) * 7919 % artifact().facts.vocab_size));
    plan_.positions.push_back(static_cast<int32_t>(start + i));
    plan_.slots.push_back(static_cast<int32_t>(start + i));
    plan_.table_start.push_back(0);
  }
  plan_.chunks.push_back({1, 0, static_cast<int32_t>(rows), rows == 1});
  if (logits) {
    plan_.logit_rows.push_back(static_cast<int32_t>(rows - 1));
    plan_.logits.push_back({1, true, -1});
  }
  MLC_TRY(auto out, runner_->run(plan_));
  (void)out;
  return {};
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Result<double> Bench::prefill(int64_t start, int64_t tokens) {
  const auto begin = std::chrono::steady_clock::now();
  const int64_t chunk = artifact().facts.prefill_chunk_size;
  for (int64_t done = 0; done < tokens; done += chunk) {
    const int64_t rows = std::min(chunk, tokens - done);
    MLC_TRY_VOID(step(start + done, rows, done + rows == tokens));
  }
  return seconds_since(begin);
}

Result<double> Bench::decode(int64_t start, int64_t tokens) {
  const auto begin = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < tokens; ++i) MLC_TRY_VOID(step(start + i, 1, true));
  return seconds_since(begin);
}

Result<double> Bench::decode_batch(int64_t sequences, int64_t start, int64_t tokens) {
  const auto begin = std::chrono::steady_clock::now();
  const int64_t pages = pages_for(start + tokens);
  for (int64_t i = start; i < start + tokens; ++i) {
    plan_.clear();
    for (int64_t s = 0; s < sequences; ++s) {
      const auto row = static_cast<int32_t>(s);
      const auto id = static_cast<engine::RequestId>(s + 1);
      plan_.token_ids.push_back(static_cast<int32_t>((i + s) * 7919 % artifact().facts.vocab_size));
      plan_.positions.push_back(static_cast<int32_t>(i));
      plan_.slots.push_back(static_cast<int32_t>(s * pages * artifact::kPageSize + i));
      plan_.table_start.push_back(static_cast<int32_t>(s * pages));
      for (int64_t p = 0; p < pages; ++p) plan_.block_tables.push_back(static_cast<int32_t>(s * pages + p));
      plan_.chunks.push_back({id, row, 1, true});
      plan_.logit_rows.push_back(row);
      plan_.logits.push_back({id, true, -1});
    }
    MLC_TRY(auto out, runner_->run(plan_));
    (void)out;
  }
  return seconds_since(begin);
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

struct Work {
  int64_t weight_bytes = 0;        // read per step
  int64_t token_ops = 0;           // per token row, the output projection left out
  int64_t logit_ops = 0;           // per logit row
  int64_t kv_bytes_per_token = 0;  // of context, read per decoded token
};

Work work_of(const artifact::Artifact& a) {
  Work w;
  for (const artifact::KernelCall& c : a.plan.calls) {
    w.weight_bytes += c.param_bytes;
    (c.rows == artifact::Symbol::kNumTokens ? w.token_ops : w.logit_ops) += c.ops_per_row;
  }
  w.kv_bytes_per_token = 2 * a.facts.num_layers * a.facts.num_kv_heads * a.facts.head_dim * a.facts.kv_dtype.bytes();
  return w;
}

struct Speed {
  int64_t tokens = 0;
  double tokens_per_s = 0, gb_per_s = 0, tops = 0, limit = 0;  // limit: share, 0 … 1
};

Speed prefill_speed(const Work& w, const MachineLimits& limits, int64_t tokens, double seconds) {
  Speed s{tokens, static_cast<double>(tokens) / seconds};
  s.gb_per_s = static_cast<double>(w.weight_bytes) / seconds / 1e9;
  s.tops = static_cast<double>(w.token_ops * tokens + w.logit_ops) / seconds / 1e12;
  s.limit = s.tops / limits.int8_tops;
  return s;
}

Speed decode_speed(const Work& w, const MachineLimits& limits, int64_t depth, int64_t tokens, double seconds) {
  Speed s{tokens, static_cast<double>(tokens) / seconds};
  const double context = static_cast<double>(depth) + static_cast<double>(tokens) / 2;
  const double bytes = static_cast<double>(w.weight_bytes) + context * static_cast<double>(w.kv_bytes_per_token);
  s.gb_per_s = bytes * s.tokens_per_s / 1e9;
  s.tops = static_cast<double>(w.token_ops + w.logit_ops) * s.tokens_per_s / 1e12;
  s.limit = s.gb_per_s / limits.read_gb_per_s;
  return s;
}

// One step reads the weights once for all sequences, and the context of each: whichever of memory and arithmetic would
// take longer is the bound.
struct BatchSpeed {
  Speed speed;
  int64_t sequences = 0;
  const char* bound = "read";
};

BatchSpeed batch_speed(const Work& w, const MachineLimits& limits, int64_t sequences, int64_t depth, int64_t tokens,
                       double seconds) {
  const auto rows = static_cast<double>(sequences), steps = static_cast<double>(tokens);
  const double context = static_cast<double>(depth) + steps / 2;
  const double bytes = static_cast<double>(w.weight_bytes) + rows * context * static_cast<double>(w.kv_bytes_per_token);
  const double ops = rows * static_cast<double>(w.token_ops + w.logit_ops);
  const double read_s = bytes / 1e9 / limits.read_gb_per_s, compute_s = ops / 1e12 / limits.int8_tops;
  BatchSpeed b;
  b.sequences = sequences;
  b.speed = {tokens, rows * steps / seconds, bytes * steps / seconds / 1e9, ops * steps / seconds / 1e12,
             std::max(read_s, compute_s) * steps / seconds};
  b.bound = read_s >= compute_s ? "read" : "int8";
  return b;
}

void print_row(const char* phase, const Speed& s, const char* bound) {
  fmt::print("{:24} {:>10.2f} {:>10.2f} {:>12.1f} {:>9.0f}% of {}\n", phase, s.tokens_per_s, s.gb_per_s, s.tops * 1e3,
             100 * s.limit, bound);
}

Result<void> check(const Options& o) {
  if (o.preset.empty() == o.flags.model.empty()) return error("give a model directory, or --preset NAME --synthetic");
  if (!o.preset.empty() && !o.synthetic) {
    return error("--preset {} names only a shape: add --synthetic to measure it with random weights", o.preset);
  }
  if (!o.preset.empty() && o.flags.quantization.empty()) return error("--preset needs --quantization");
  for (int64_t n : o.prompt_lengths) {
    if (n < 1) return error("--prompt-lengths: found {}, expected positive numbers", n);
  }
  for (int64_t n : o.batches) {
    if (n < 1) return error("--batch: found {}, expected positive numbers", n);
  }
  if (!o.batches.empty() && o.generate < 1) return error("--batch measures decoding: it needs --generate 1 or more");
  return {};
}

Result<int> run_bench(const Options& o) {
  MLC_TRY_VOID(check(o));
  const int64_t longest = *std::max_element(o.prompt_lengths.begin(), o.prompt_lengths.end());
  const int64_t most = o.batches.empty() ? 0 : *std::max_element(o.batches.begin(), o.batches.end());
  const int64_t alone = o.depth + longest + o.generate;
  const int64_t together = most * pages_for(o.depth + o.generate) * artifact::kPageSize;
  MLC_TRY(auto bench, Bench::create(o, alone, std::max(alone, together)));
  if (const artifact::ModelFacts& f = bench->artifact().facts;
      most > std::min(f.max_batch_size, f.prefill_chunk_size)) {
    return error(
        "--batch: found {}, but a step of this model has at most {} rows; --max-batch-size and "
        "--prefill-chunk-size set that",
        most, std::min(f.max_batch_size, f.prefill_chunk_size));
  }
  MLC_TRY(auto target, resolve_device(o.flags));
  const Work work = work_of(bench->artifact());
  nlohmann::ordered_json out;
  const bool table = o.json != "-";
  Progress progress("measuring");
  std::vector<Speed> prefills;
  MLC_TRY(MachineLimits limits, measure_limits(target, bench->pool()));
  std::vector<std::vector<double>> prefill_s(o.prompt_lengths.size());
  std::vector<double> decode_s;
  std::vector<std::vector<double>> batch_s(o.batches.size());
  MLC_TRY(double warm, bench->decode(o.depth, 2));
  (void)warm;
  for (int64_t run = 0; run < o.runs; ++run) {  // phases interleaved, so that a slow minute hits all alike
    for (size_t i = 0; i < o.prompt_lengths.size(); ++i) {
      MLC_TRY(double s, bench->prefill(o.depth, o.prompt_lengths[i]));
      prefill_s[i].push_back(s);
    }
    if (o.generate > 0) {
      MLC_TRY(double s, bench->decode(o.depth + longest, o.generate));
      decode_s.push_back(s);
    }
    for (size_t i = 0; i < o.batches.size(); ++i) {
      MLC_TRY(double s, bench->decode_batch(o.batches[i], o.depth, o.generate));
      batch_s[i].push_back(s);
    }
    progress.update(fmt::format("run {} of {}", run + 1, o.runs));
  }
  MLC_TRY(MachineLimits after, measure_limits(target, bench->pool()));
  limits.read_gb_per_s = (limits.read_gb_per_s + after.read_gb_per_s) / 2;
  limits.int8_tops = (limits.int8_tops + after.int8_tops) / 2;
  progress.done();
  for (size_t i = 0; i < o.prompt_lengths.size(); ++i) {
    prefills.push_back(prefill_speed(work, limits, o.prompt_lengths[i], median(prefill_s[i])));
  }
  std::optional<Speed> decode;
  if (o.generate > 0) {
    decode = decode_speed(work, limits, o.depth + longest, o.generate, median(decode_s));
  }
  std::vector<BatchSpeed> batches;
  for (size_t i = 0; i < o.batches.size(); ++i) {
    batches.push_back(batch_speed(work, limits, o.batches[i], o.depth, o.generate, median(batch_s[i])));
  }
  const artifact::ModelFacts& facts = bench->artifact().facts;
  if (table) {
    fmt::print("{} {} activations {}, {} threads, {} runs (medians); {:.0f} MB of weights per step\n",
               o.preset.empty() ? o.flags.model : o.preset, facts.quantization, facts.activation, bench->threads(),
               o.runs, static_cast<double>(work.weight_bytes) / 1e6);
    fmt::print("machine: reads {:.1f} GB/s, int8 {:.2f} TOPS\n\n", limits.read_gb_per_s, limits.int8_tops);
    fmt::print("{:24} {:>10} {:>10} {:>12} {:>10}\n", "", "tokens/s", "GB/s", "GOP/s", "limit");
    for (const Speed& s : prefills) print_row(fmt::format("prefill {}", s.tokens).c_str(), s, "int8");
    if (decode) print_row(fmt::format("decode at {}", o.depth + longest).c_str(), *decode, "read");
    for (const BatchSpeed& b : batches) {
      print_row(fmt::format("decode {} x at {}", b.sequences, o.depth).c_str(), b.speed, b.bound);
    }
  }
  if (!o.json.empty()) {
    out["model"] = o.preset.empty() ? o.flags.model : o.preset;
    out["quantization"] = facts.quantization;
    out["activation"] = facts.activation;
    out["threads"] = bench->threads();
    out["runs"] = o.runs;
    out["depth"] = o.depth;
    out["prompt_length"] = o.prompt_lengths[0];
    out["prefill_tokens_per_s"] = prefills[0].tokens_per_s;
    out["prefill_gops"] = prefills[0].tops * 1e3;
    out["prefill_share_of_limit"] = prefills[0].limit;
    for (const Speed& s : prefills) out[fmt::format("prefill_{}_tokens_per_s", s.tokens)] = s.tokens_per_s;
    if (decode) {
      out["decode_tokens_per_s"] = decode->tokens_per_s;
      out["decode_gb_per_s"] = decode->gb_per_s;
      out["decode_share_of_limit"] = decode->limit;
    }
    for (const BatchSpeed& b : batches) {
      out[fmt::format("batch_{}_tokens_per_s", b.sequences)] = b.speed.tokens_per_s;
      out[fmt::format("batch_{}_share_of_limit", b.sequences)] = b.speed.limit;
    }
    out["bytes_per_step"] = work.weight_bytes;
    out["machine_read_gb_per_s"] = limits.read_gb_per_s;
    out["machine_int8_tops"] = limits.int8_tops;
    if (o.json == "-") {
      fmt::print("{}\n", out.dump(2));
    } else {
      MLC_TRY_VOID(write_file_atomic(o.json, out.dump(2) + "\n"));
    }
  }
  return 0;
}

}  // namespace

std::function<Result<int>()> setup_bench(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("model", o->flags.model, "Model directory");
  app.add_option("--preset", o->preset, "A model shape by name, such as llama-3.2-1b");
  app.add_flag("--synthetic", o->synthetic, "Random weights, made in memory");
  app.add_option("--quantization", o->flags.quantization, "How weights are stored");
  app.add_option("--prompt-lengths", o->prompt_lengths, "Prompt lengths to measure, separated by commas")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--generate", o->generate, "Tokens to generate; 0: prefill only")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--batch", o->batches, "Numbers of sequences to decode together, separated by commas")->delimiter(',');
  app.add_option("--depth", o->depth, "Tokens that the cache holds before the prompt (not computed)")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--runs", o->runs, "Runs of each phase; medians are shown")->check(at_least(1))->capture_default_str();
  app.add_option("--json", o->json, "Write the figures to this file; -: to standard output instead of the table");
  add_compile_flags(app, o->flags);
  return [o]() { return run_bench(*o); };
}

}  // namespace mlc::tools
