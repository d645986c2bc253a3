#include "model/chat_config.h"

#include <algorithm>

#include "base/file.h"
#include "model/conv_template.h"

namespace mlc::model {
namespace {

// Typed access to a field, with the file named when it has the wrong type.
class Reader {
 public:
  Reader(const Json& body, std::string where) : body_(body), where_(std::move(where)) {}

  const Json* find(const char* key) const {
    auto it = body_.find(key);
    return it == body_.end() || it->is_null() ? nullptr : &*it;
  }

  template <typename T>
  void get(const char* key, T& value, bool (Json::*is)() const noexcept, const char* expected) {
    const Json* found = find(key);
    if (found == nullptr) return;
    if (!(found->*is)()) {
      if (!failure_) {
        failure_ =
            mlc::error(ErrorCode::kCorrupt, "{}: \"{}\" is {}; expected {}", where_, key, found->dump(), expected);
      }
      return;
    }
    value = found->get<T>();
  }
  void number(const char* key, double& value) { get(key, value, &Json::is_number, "a number"); }
  void integer(const char* key, int64_t& value) { get(key, value, &Json::is_number_integer, "a whole number"); }
  void text(const char* key, std::string& value) { get(key, value, &Json::is_string, "a text"); }
  void flag(const char* key, bool& value) { get(key, value, &Json::is_boolean, "true or false"); }

  const std::optional<Error>& failure() const { return failure_; }

 private:
  const Json& body_;
  std::string where_;
  std::optional<Error> failure_;
};

Result<OrderedJson> read_conv_template(const std::string& path, const Json* found) {
  if (found == nullptr) return conv_template("LM");
  if (found->is_string()) return conv_template(found->get<std::string>()).context("{}", path);
  if (found->is_object()) {
    MLC_TRY(std::string text, read_file(path));
    return OrderedJson(OrderedJson::parse(text)["conv_template"]);  // again, in the order of the file
  }
  return error(ErrorCode::kCorrupt, "{}: \"conv_template\" is neither an object nor a name", path);
}

void read_sampling(Reader& reader, SamplingDefaults& s) {
  reader.number("temperature", s.temperature);
  reader.number("top_p", s.top_p);
  reader.number("presence_penalty", s.presence_penalty);
  reader.number("frequency_penalty", s.frequency_penalty);
  reader.number("repetition_penalty", s.repetition_penalty);
  if (reader.find("top_k") != nullptr) reader.integer("top_k", s.top_k.emplace());
  if (reader.find("min_p") != nullptr) reader.number("min_p", s.min_p.emplace());
}

}  // namespace

Result<ChatConfig> load_chat_config(const std::string& dir_or_file) {
  const std::string path = is_directory(dir_or_file) ? join_path(dir_or_file, "mlc-chat-config.json") : dir_or_file;
  MLC_TRY(Json body, read_json_file(path));
  if (!body.is_object()) return error(ErrorCode::kCorrupt, "{}: expected a JSON object", path);
  ChatConfig c;
  MLC_TRY(c.model, load_model_config(path));
  Reader reader(body, path);
  reader.text("version", c.version);
  reader.text("quantization", c.quantization);
  reader.integer("context_window_size", c.context_window_size);
  reader.integer("prefill_chunk_size", c.prefill_chunk_size);
  reader.integer("sliding_window_size", c.sliding_window_size);
  reader.integer("attention_sink_size", c.attention_sink_size);
  c.active_vocab_size = c.model.vocab_size;
  reader.integer("active_vocab_size", c.active_vocab_size);
  read_sampling(reader, c.sampling);
  reader.text("chat_template", c.chat_template);
  reader.text("model_task", c.model_task);
  reader.integer("pad_token_id", c.pad_token_id);
  reader.integer("bos_token_id", c.bos_token_id);
  if (const Json* files = reader.find("tokenizer_files"); files != nullptr && files->is_array()) {
    for (const Json& f : *files) {
      if (f.is_string()) c.tokenizer_files.push_back(f.get<std::string>());
    }
  }
  if (const Json* info = reader.find("tokenizer_info"); info != nullptr && info->is_object()) {
    Reader inner(*info, path + ": in \"tokenizer_info\"");
    inner.text("token_postproc_method", c.tokenizer_info.token_postproc_method);
    inner.flag("prepend_space_in_encode", c.tokenizer_info.prepend_space_in_encode);
    inner.flag("strip_space_in_decode", c.tokenizer_info.strip_space_in_decode);
    if (inner.failure()) return *inner.failure();
  }
  if (const Json* inner = reader.find("model_config"); inner != nullptr && inner->is_object()) {
    Reader(*inner, path).integer("max_batch_size", c.max_batch_size);
  }
  if (reader.failure()) return *reader.failure();
  // load_model_config has put the outer eos_token_id into the model's description.
  if (!c.model.eos_token_ids.empty()) c.eos_token_ids = c.model.eos_token_ids;
  const int64_t limit = c.model.context_limit();
  c.context_window_size = c.context_window_size > 0 ? std::min(c.context_window_size, limit) : limit;
  if (c.sliding_window_size > 0) c.context_window_size = std::min(c.context_window_size, c.sliding_window_size);
  if (c.prefill_chunk_size < 1) c.prefill_chunk_size = kDefaultPrefillChunk;
  c.prefill_chunk_size = std::min(c.prefill_chunk_size, c.context_window_size);
  MLC_TRY(c.conv_template, read_conv_template(path, reader.find("conv_template")));
  if (c.chat_template.empty()) {
    if (auto fits = check_conv_template(c.conv_template, c.model.vocab_size); !fits) {
      return std::move(fits).error().context("{}", path);
    }
  }
  return c;
}

std::string chat_config_text(const ChatConfig& c) {
  OrderedJson j;
  j["version"] = c.version;
  j["model_type"] = c.model.model_type;
  j["quantization"] = c.quantization;
  j["model_config"] = model_config_json(c.model, c.context_window_size, c.prefill_chunk_size, c.max_batch_size);
  j["vocab_size"] = c.model.vocab_size;
  j["context_window_size"] = c.context_window_size;
  j["sliding_window_size"] = c.sliding_window_size;
  j["prefill_chunk_size"] = c.prefill_chunk_size;
  j["attention_sink_size"] = c.attention_sink_size;
  j["tensor_parallel_shards"] = 1;
  j["pipeline_parallel_stages"] = 1;
  j["active_vocab_size"] = c.active_vocab_size;
  j["temperature"] = c.sampling.temperature;
  j["presence_penalty"] = c.sampling.presence_penalty;
  j["frequency_penalty"] = c.sampling.frequency_penalty;
  j["repetition_penalty"] = c.sampling.repetition_penalty;
  j["top_p"] = c.sampling.top_p;
  if (c.sampling.top_k) j["top_k"] = *c.sampling.top_k;
  if (c.sampling.min_p) j["min_p"] = *c.sampling.min_p;
  j["tokenizer_files"] = c.tokenizer_files;
  j["tokenizer_info"] = {{"token_postproc_method", c.tokenizer_info.token_postproc_method},
                         {"prepend_space_in_encode", c.tokenizer_info.prepend_space_in_encode},
                         {"strip_space_in_decode", c.tokenizer_info.strip_space_in_decode}};
  j["conv_template"] = c.conv_template;
  if (!c.chat_template.empty()) j["chat_template"] = c.chat_template;
  j["pad_token_id"] = c.pad_token_id;
  j["bos_token_id"] = c.bos_token_id;
  if (c.eos_token_ids.size() == 1) {
    j["eos_token_id"] = c.eos_token_ids[0];
  } else {
    j["eos_token_id"] = c.eos_token_ids;
  }
  j["model_task"] = c.model_task;
  return j.dump(2) + "\n";
}

}  // namespace mlc::model
