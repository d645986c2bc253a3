// gen_config: works out an mlc-chat-config.json from a Hugging Face directory.
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/file.h"
#include "model/chat_config.h"
#include "model/conv_template.h"
#include "quant/scheme.h"

namespace mlc::model {
namespace {

constexpr const char* kTokenizerFiles[] = {
    "tokenizer.model",       "tokenizer.json",          "vocab.json",         "merges.txt", "added_tokens.json",
    "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"};

// What the source directory says, each file read once; missing files are null.
struct Source {
  std::string dir;
  Json config, generation, tokenizer_config, tokenizer;
  std::string assembled_tokenizer;  // the text of a tokenizer.json that had to be made
  std::string chat_template;        // Jinja, or empty
};

Result<Json> read_optional(const std::string& path) {
  if (!path_exists(path)) return Json();
  MLC_TRY(Json body, read_json_file(path));
  if (!body.is_object()) return error(ErrorCode::kCorrupt, "{}: expected a JSON object", path);
  return body;
}

// A text, or a list of {name, template} with one called "default".
std::string chat_template_of(const Json& tokenizer_config) {
  if (!tokenizer_config.is_object() || !tokenizer_config.contains("chat_template")) return {};
  const Json& field = tokenizer_config["chat_template"];
  if (field.is_string()) return field.get<std::string>();
  if (!field.is_array()) return {};
  for (const Json& entry : field) {
    if (entry.is_object() && entry.value("name", Json()) == "default" && entry.value("template", Json()).is_string()) {
      return entry["template"].get<std::string>();
    }
  }
  return {};
}

Result<Source> read_source(const GenConfigOptions& options) {
  Source s;
  s.dir = options.source_dir;
  MLC_TRY(s.config, read_json_file(join_path(s.dir, "config.json")));
  MLC_TRY(s.generation, read_optional(join_path(s.dir, "generation_config.json")));
  MLC_TRY(s.tokenizer_config, read_optional(join_path(s.dir, "tokenizer_config.json")));
  MLC_TRY(s.tokenizer, read_optional(join_path(s.dir, "tokenizer.json")));
  if (s.tokenizer.is_null() && options.assemble_tokenizer) {
    auto made = options.assemble_tokenizer(s.dir);
    if (made) {
      s.assembled_tokenizer = *std::move(made);
      MLC_TRY(s.tokenizer, parse_json(s.assembled_tokenizer, "the assembled tokenizer.json"));
    } else if (made.error().code != ErrorCode::kNotFound) {
      return std::move(made).error();
    }
  }
  const std::string jinja = join_path(s.dir, "chat_template.jinja");
  if (path_exists(jinja)) {
    MLC_TRY(s.chat_template, read_file(jinja));
  } else {
    s.chat_template = chat_template_of(s.tokenizer_config);
  }
  return s;
}

const Json* find(const Json& body, const char* key) {
  if (!body.is_object()) return nullptr;
  auto it = body.find(key);
  return it == body.end() || it->is_null() ? nullptr : &*it;
}

// Sampling: generation_config.json first, then config.json.
void fill_sampling(const Source& s, SamplingDefaults& out) {
  const auto number = [&](const char* key) -> const Json* {
    const Json* found = find(s.generation, key);
    if (found == nullptr || !found->is_number()) found = find(s.config, key);
    return found != nullptr && found->is_number() ? found : nullptr;
  };
  for (auto [key, value] : {std::pair{"temperature", &out.temperature},
                            {"top_p", &out.top_p},
                            {"presence_penalty", &out.presence_penalty},
                            {"frequency_penalty", &out.frequency_penalty},
                            {"repetition_penalty", &out.repetition_penalty}}) {
    if (const Json* found = number(key)) *value = found->get<double>();
  }
  // Only where generation_config.json sets them: config.json of old checkpoints lists the library's defaults.
  if (const Json* k = find(s.generation, "top_k"); k != nullptr && k->is_number_integer())
    out.top_k = k->get<int64_t>();
  if (const Json* p = find(s.generation, "min_p"); p != nullptr && p->is_number()) out.min_p = p->get<double>();
}

// tokenizer.json's added tokens; a content with two ids makes decoding ambiguous and is refused.
Result<std::map<std::string, int64_t>> added_tokens(const Source& s) {
  std::map<std::string, int64_t> tokens;
  const Json* list = find(s.tokenizer, "added_tokens");
  if (list == nullptr || !list->is_array()) return tokens;
  for (const Json& t : *list) {
    if (!t.is_object() || !t.value("content", Json()).is_string() || !t.value("id", Json()).is_number_integer())
      continue;
    const auto content = t["content"].get<std::string>();
    if (!tokens.emplace(content, t["id"].get<int64_t>()).second) {
      return error(ErrorCode::kCorrupt, "{}/tokenizer.json: the added token \"{}\" is there twice", s.dir, content);
    }
  }
  return tokens;
}

// How many tokens the tokenizer knows: its vocabulary and what was added behind it.
int64_t count_tokens(const Source& s, const std::map<std::string, int64_t>& added, int64_t fallback) {
  const Json* model = find(s.tokenizer, "model");
  const Json* vocab = model == nullptr ? nullptr : find(*model, "vocab");
  if (vocab == nullptr || !(vocab->is_object() || vocab->is_array())) return fallback;
  auto count = static_cast<int64_t>(vocab->size());
  for (const auto& [content, id] : added) {
    const bool listed = vocab->is_object() ? vocab->contains(content) : id < static_cast<int64_t>(vocab->size());
    if (!listed) ++count;
  }
  return count;
}

void fill_special_tokens(const Source& s, const std::map<std::string, int64_t>& added, ChatConfig& c) {
  // A token's text, plain or as an object, to its id.
  const auto id_of_text = [&](const char* key) -> std::optional<int64_t> {
    const Json* token = find(s.tokenizer_config, key);
    if (token != nullptr && token->is_object()) token = find(*token, "content");
    if (token == nullptr || !token->is_string()) return std::nullopt;
    const auto text = token->get<std::string>();
    if (auto it = added.find(text); it != added.end()) return it->second;
    const Json* model = find(s.tokenizer, "model");
    const Json* vocab = model == nullptr ? nullptr : find(*model, "vocab");
    if (vocab == nullptr || !vocab->is_object() || !vocab->contains(text)) return std::nullopt;
    return (*vocab)[text].is_number_integer() ? std::optional((*vocab)[text].get<int64_t>()) : std::nullopt;
  };
  const auto id_of_field = [&](const char* key) -> std::optional<int64_t> {
    for (const Json* body : {&s.generation, &s.config}) {
      const Json* id = find(*body, key);
      if (id != nullptr && id->is_number_integer() && id->get<int64_t>() >= 0) return id->get<int64_t>();
    }
    return std::nullopt;
  };
  std::vector<int64_t> eos;
  const auto add_eos = [&](int64_t id) {
    if (id >= 0 && id < c.model.vocab_size && std::find(eos.begin(), eos.end(), id) == eos.end()) eos.push_back(id);
  };
  for (const Json* body : {&s.generation, &s.config}) {
    const Json* ids = find(*body, "eos_token_id");
    if (ids == nullptr) continue;
    for (const Json& id : ids->is_array() ? *ids : Json::array({*ids})) {
      if (id.is_number_integer()) add_eos(id.get<int64_t>());
    }
  }
  // Chat models often end a turn with a token that config.json does not name.
  if (auto id = id_of_text("eos_token")) add_eos(*id);
  if (!eos.empty()) c.eos_token_ids = eos;
  c.bos_token_id = id_of_field("bos_token_id").value_or(id_of_text("bos_token").value_or(c.bos_token_id));
  c.pad_token_id = id_of_field("pad_token_id").value_or(id_of_text("pad_token").value_or(c.pad_token_id));
}

// The steps of a tokenizer.json part ("normalizer", "decoder"), flattened out of a Sequence.
std::vector<Json> steps_of(const Json& tokenizer, const char* key) {
  const Json* part = find(tokenizer, key);
  if (part == nullptr || !part->is_object()) return {};
  for (const char* list : {"normalizers", "decoders", "pretokenizers"}) {
    if (const Json* steps = find(*part, list); steps != nullptr && steps->is_array())
      return {steps->begin(), steps->end()};
  }
  return {*part};
}

TokenizerInfo tokenizer_info_of(const Json& tokenizer) {
  TokenizerInfo info;
  const auto is = [](const Json& step, const char* type) {
    return step.is_object() && step.value("type", Json()) == type;
  };
  for (const Json& step : steps_of(tokenizer, "decoder")) {
    if (is(step, "ByteLevel")) info.token_postproc_method = "byte_level";
    if (is(step, "ByteFallback")) info.token_postproc_method = "byte_fallback";
    if (is(step, "Strip") && step.value("content", Json()) == " " && step.value("start", Json()) == 1) {
      info.strip_space_in_decode = true;
    }
    if (is(step, "Metaspace")) info.strip_space_in_decode = step.value("prepend_scheme", Json("always")) != "never";
  }
  for (const Json& step : steps_of(tokenizer, "normalizer")) {
    if (is(step, "Prepend")) info.prepend_space_in_encode = true;
  }
  for (const Json& step : steps_of(tokenizer, "pre_tokenizer")) {
    if (is(step, "Metaspace")) info.prepend_space_in_encode = step.value("prepend_scheme", Json("always")) != "never";
  }
  return info;
}

Result<void> fill_template(const GenConfigOptions& options, const Source& s, ChatConfig& c) {
  if (options.conv_template != "auto") {
    MLC_TRY(c.conv_template, conv_template(options.conv_template));
    return check_conv_template(c.conv_template, c.model.vocab_size);
  }
  c.chat_template = s.chat_template;
  MLC_TRY(c.conv_template, conv_template(choose_conv_template(c.model.model_type, s.chat_template)));
  // The template's ids belong to the model that it was made for.
  c.conv_template["stop_token_ids"] = c.eos_token_ids;
  if (c.conv_template.contains("system_prefix_token_ids"))
    c.conv_template["system_prefix_token_ids"] = {c.bos_token_id};
  return {};
}

Result<void> fill_sizes(const GenConfigOptions& o, ChatConfig& c, std::vector<std::string>& warnings) {
  if (o.tensor_parallel_shards.value_or(1) != 1) {
    return error(ErrorCode::kUnsupported, "--tensor-parallel-shards {}: only 1 is supported",
                 *o.tensor_parallel_shards);
  }
  const int64_t limit = c.model.context_limit();
  if (o.sliding_window_size && *o.sliding_window_size != -1 && *o.sliding_window_size < limit) {
    return error(ErrorCode::kUnsupported,
                 "--sliding-window-size {}: attention over a sliding window is not supported; a context of that size "
                 "is: --context-window-size {}",
                 *o.sliding_window_size, *o.sliding_window_size);
  }
  c.context_window_size = o.context_window_size.value_or(limit);
  if (c.context_window_size < 1) {
    return error("--context-window-size {}: expected at least 1", c.context_window_size);
  }
  if (c.context_window_size > limit) {
    warnings.push_back(
        fmt::format("--context-window-size {} is more than the model was made for ({})", c.context_window_size, limit));
    if (c.model.sliding_window > 0)
      return error("--context-window-size {}: the model attends to {} tokens at most", c.context_window_size, limit);
    c.model.max_position_embeddings = c.context_window_size;
  }
  c.prefill_chunk_size = o.prefill_chunk_size.value_or(std::min(c.context_window_size, kDefaultPrefillChunk));
  c.max_batch_size = o.max_batch_size.value_or(c.max_batch_size);
  c.attention_sink_size = o.attention_sink_size.value_or(c.attention_sink_size);
  if (c.prefill_chunk_size < 1) return error("--prefill-chunk-size {}: expected at least 1", c.prefill_chunk_size);
  if (c.max_batch_size < 1) return error("--max-batch-size {}: expected at least 1", c.max_batch_size);
  return {};
}

struct Made {
  GenConfigReport report;
  Source source;
};

Result<Made> make(const GenConfigOptions& options) {
  Made m;
  MLC_TRY(m.source, read_source(options));
  ChatConfig& c = m.report.config;
  MLC_TRY(c.model, parse_model_config(m.source.config, join_path(options.source_dir, "config.json")));
  MLC_TRY(const quant::Scheme* scheme, quant::scheme_by_name(options.quantization));
  c.quantization = scheme->name();
  MLC_TRY_VOID(fill_sizes(options, c, m.report.warnings));
  fill_sampling(m.source, c.sampling);
  MLC_TRY(auto added, added_tokens(m.source));
  c.active_vocab_size = count_tokens(m.source, added, c.model.vocab_size);
  if (c.active_vocab_size > c.model.vocab_size) {
    m.report.warnings.push_back(
        fmt::format("{}: the tokenizer has {} tokens, the model {}: those behind are not usable", options.source_dir,
                    c.active_vocab_size, c.model.vocab_size));
    c.active_vocab_size = c.model.vocab_size;
  }
  fill_special_tokens(m.source, added, c);
  c.tokenizer_info = tokenizer_info_of(m.source.tokenizer);
  for (const char* name : kTokenizerFiles) {
    const bool made = std::string_view(name) == "tokenizer.json" && !m.source.assembled_tokenizer.empty();
    if (made || path_exists(join_path(options.source_dir, name))) c.tokenizer_files.emplace_back(name);
  }
  if (m.source.tokenizer.is_null()) {
    m.report.warnings.push_back(
        fmt::format("{}: no tokenizer; the model can be served for prompts given as token ids", options.source_dir));
  }
  MLC_TRY_VOID(fill_template(options, m.source, c));
  return m;
}

Result<void> stage_files(const GenConfigOptions& options, const Made& m, const TempDir& stage,
                         std::vector<std::string>& staged) {
  std::error_code ec;
  const bool same = std::filesystem::equivalent(options.source_dir, options.out_dir, ec);
  for (const std::string& name : m.report.config.tokenizer_files) {
    if (name == "tokenizer.json" && !m.source.assembled_tokenizer.empty()) {
      MLC_TRY_VOID(write_file_atomic(stage.file(name), m.source.assembled_tokenizer));
    } else if (!same) {
      MLC_TRY_VOID(copy_file_atomic(join_path(options.source_dir, name), stage.file(name)));
    } else {
      continue;
    }
    staged.push_back(name);
  }
  // Last, so that a directory with a config has the rest.
  MLC_TRY_VOID(write_file_atomic(stage.file("mlc-chat-config.json"), chat_config_text(m.report.config)));
  staged.emplace_back("mlc-chat-config.json");
  return {};
}

}  // namespace

Result<GenConfigReport> make_chat_config(const GenConfigOptions& options) {
  MLC_TRY(Made m, make(options));
  return std::move(m.report);
}

Result<GenConfigReport> gen_config(const GenConfigOptions& options) {
  MLC_TRY(Made m, make(options));
  const bool fresh = !path_exists(options.out_dir);
  MLC_TRY_VOID(make_directories(options.out_dir));
  const auto write = [&]() -> Result<void> {
    MLC_TRY(TempDir stage, TempDir::create_beside(join_path(options.out_dir, "config")));
    std::vector<std::string> staged;
    MLC_TRY_VOID(stage_files(options, m, stage, staged));
    for (const std::string& name : staged) {
      MLC_TRY_VOID(rename_path(stage.file(name), join_path(options.out_dir, name)));
    }
    return sync_directory(options.out_dir);
  };
  if (auto written = write(); !written) {
    std::error_code ignored;
    if (fresh) std::filesystem::remove(options.out_dir, ignored);  // only if it is empty
    return std::move(written).error();
  }
  return std::move(m.report);
}

}  // namespace mlc::model
