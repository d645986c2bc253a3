#include "capi/options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>

#include "engine/draft.h"
#include "protocol/json_fields.h"

namespace mlc::capi {
namespace {

using protocol::ApiError;
using protocol::ApiResult;
using protocol::bad_value;
using protocol::Fields;

constexpr std::array kKnown = {
    "device", "model_lib", "mode", "quantization", "opt", "activation", "kv_cache_dtype", "threads", "tuning_db",
    "mlock", "chat_template", "system_prompt", "tool_call_parser", "reasoning_parser", "served_model_name",
    "max_num_sequence", "max_total_sequence_length", "max_single_sequence_length", "prefill_chunk_size",
    "gpu_memory_utilization", "speculative_mode", "spec_draft_length", "additional_models", "prefix_cache_mode",
    "prefix_cache_max_num_recycling_seqs", "prefill_mode", "verbose",
    // Of EngineConfig, with the one value that there is:
    "kv_cache_page_size", "tensor_parallel_shards", "pipeline_parallel_stages", "spec_tree_width", "kv_state_kind"};

std::string one_of(Fields& f, const char* name, std::initializer_list<const char*> values) {
  const std::string value = f.string(name).value_or(*values.begin());
  if (std::any_of(values.begin(), values.end(), [&](const char* v) { return value == v; })) return value;
  std::string expected;
  for (const char* v : values) expected += fmt::format("{}\"{}\"", expected.empty() ? "" : " or ", v);
  f.fail(bad_value(name, fmt::format("\"{}\"", value), expected));
  return *values.begin();
}

void read(Fields& f, const char* name, std::string* to) {
  if (auto value = f.string(name)) *to = *value;
}
void read(Fields& f, const char* name, int64_t low, int64_t high, int64_t* to) {
  if (auto value = f.integer(name, low, high)) *to = *value;
}

// "PATH", or ["PATH", "LIB"] as MLC LLM's tuples arrive.
void read_additional_models(Fields& f, std::vector<std::string>* to) {
  const Json* list = f.find("additional_models");
  if (list == nullptr) return;
  const auto expected = "a list of paths, or of [path, library] pairs";
  if (!list->is_array()) return f.fail(bad_value("additional_models", protocol::describe(*list), expected));
  for (const Json& item : *list) {
    const bool pair = item.is_array() && item.size() == 2 && item[0].is_string() && item[1].is_string();
    if (!item.is_string() && !pair) return f.fail(bad_value("additional_models", protocol::describe(item), expected));
    to->push_back(pair ? item[0].get<std::string>() + "," + item[1].get<std::string>() : item.get<std::string>());
  }
}

void read_model(Fields& f, loader::LoadOptions* load) {
  loader::ModelOptions& m = load->model;
  read(f, "device", &m.device);
  read(f, "model_lib", &m.model_lib);
  read(f, "quantization", &m.quantization);
  read(f, "opt", &m.opt);
  read(f, "activation", &m.activation);
  read(f, "kv_cache_dtype", &m.kv_cache_dtype);
  read(f, "tuning_db", &m.tuning_db);
  if (auto n = f.integer("threads", 0, 1024)) m.threads = static_cast<int>(*n);
  load->mlock = f.boolean("mlock").value_or(false);
  read(f, "chat_template", &load->chat_template);
  read(f, "system_prompt", &load->system_prompt);
  read(f, "tool_call_parser", &load->tool_call_parser);
  read(f, "reasoning_parser", &load->reasoning_parser);
  read(f, "served_model_name", &load->served_model_name);
}

void read_engine(Fields& f, loader::LoadOptions* load) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  load->mode = one_of(f, "mode", {"local", "interactive", "server"});
  read(f, "max_num_sequence", 1, kMost, &load->max_num_sequence);
  read(f, "max_total_sequence_length", 1, kMost, &load->max_total_tokens);
  read(f, "max_single_sequence_length", 2, kMost, &load->model.context_window_size);
  read(f, "prefill_chunk_size", 1, kMost, &load->model.prefill_chunk_size);
  if (auto share = f.number("gpu_memory_utilization", 0.01, 1)) load->memory_share = *share;
  load->speculative_mode = one_of(f, "speculative_mode", {"disable", "ngram", "small_draft"});
  read(f, "spec_draft_length", 0, engine::kMaxDraft, &load->spec_draft_length);
  read_additional_models(f, &load->additional_models);
  load->prefix_cache = one_of(f, "prefix_cache_mode", {"radix", "disable"}) == "radix";
  read(f, "prefix_cache_max_num_recycling_seqs", -1, kMost, &load->max_recycled);
  load->mix_prefill = one_of(f, "prefill_mode", {"hybrid", "chunked"}) == "hybrid";
  (void)f.integer("kv_cache_page_size", 16, 16);
  (void)f.integer("tensor_parallel_shards", 1, 1);
  (void)f.integer("pipeline_parallel_stages", 1, 1);
  (void)f.integer("spec_tree_width", 1, 1);
  (void)one_of(f, "kv_state_kind", {"kv_cache"});
}

}  // namespace

ApiResult<CreateOptions> parse_options(std::string_view text) {
  CreateOptions o;
  if (text.empty()) return o;
  MLC_TRY(const Json json, protocol::parse_body(text));
  for (const auto& [name, value] : json.items()) {
    if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) {
      return protocol::unsupported(
          name, fmt::format("\"{}\" is no option of an engine; there are: {}", name, fmt::join(kKnown, ", ")));
    }
  }
  Fields f(json);
  read_model(f, &o.load);
  read_engine(f, &o.load);
  o.verbose = f.boolean("verbose").value_or(false);
  if (f.failed()) return f.error();
  return o;
}

}  // namespace mlc::capi
