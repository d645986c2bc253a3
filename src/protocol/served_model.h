// A model as requests see it, and the list of those that one server serves.
//
//   ServedModel m;
//   m.id = "demo";  m.engine = std::move(engine);  m.tokenizer = tokenizer;  m.chat_template = tmpl;
//   ModelList models;
//   models.add(std::make_shared<const ServedModel>(std::move(m)));
//   MLC_TRY(auto model, models.find(request.model));
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "protocol/api_error.h"
#include "protocol/generation_params.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace mlc::protocol {

// How a model writes calls of tools and what it thinks.
struct AnswerFormat {
  text::OutputFormat format;
  // Special tokens that are marks of these, so that a detokenizer must not drop them.
  std::vector<int32_t> tool_marks, reasoning_marks;
  std::vector<int32_t> ends;  // tokens that end an answer with calls
};
AnswerFormat make_answer_format(const text::OutputFormat& format, const text::Tokenizer& tokenizer);

struct ServedModel {
  std::string id;    // what /v1/models lists
  std::string path;  // model directory; requests may name it, or its last component
  std::shared_ptr<engine::Engine> engine;
  std::optional<text::Tokenizer> tokenizer;         // none: prompts of token ids only, answers without text
  std::optional<text::ChatTemplate> chat_template;  // none: chat completions are refused
  AnswerFormat answers;
  GenerationDefaults defaults;
  // What ends a reply, unless ignore_eos, in addition to the chat template's own stops and the request's.
  std::vector<int32_t> stop_token_ids;
  std::vector<std::string> stop_strings;
  std::string system_prompt;           // put in front of chats that bring no system message; may be empty
  std::vector<int32_t> pinned_prefix;  // how prompts with it begin: the prefix cache keeps that for good; may be empty
  std::string fingerprint;             // system_fingerprint in responses
  int64_t created = 0;                 // seconds since 1970
  bool embeds_only = false;            // --embedding-model: it answers /v1/embeddings, and no request for text
};

class ModelList {
 public:
  void add(std::shared_ptr<const ServedModel> model) { models_.push_back(std::move(model)); }
  const std::vector<std::shared_ptr<const ServedModel>>& all() const { return models_; }

  // The model named by id, path or the path's last component. When only one model answers with text, every name means
  // it (MLC LLM does so, and its clients rely on it), unless `exact`. Otherwise 404 model_not_found.
  ApiResult<std::shared_ptr<const ServedModel>> find(const std::string& name, bool exact = false) const;
  // The same for embeddings: a name that is no model's means the embedding model, if there is one.
  ApiResult<std::shared_ptr<const ServedModel>> find_embedder(const std::string& name) const;

  OrderedJson list_json() const;                            // GET /v1/models
  static OrderedJson model_json(const ServedModel& model);  // one entry of it, and GET /v1/models/{id}

 private:
  std::vector<std::shared_ptr<const ServedModel>> models_;
};

}  // namespace mlc::protocol
