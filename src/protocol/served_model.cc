#include "protocol/served_model.h"

#include <algorithm>
#include <filesystem>

namespace mlc::protocol {
namespace {

bool is_named(const ServedModel& model, const std::string& name) {
  if (name == model.id) return true;
  if (model.path.empty() || name.empty()) return false;
  const std::filesystem::path path = std::filesystem::path(model.path).lexically_normal();
  const std::filesystem::path last = path.has_filename() ? path.filename() : path.parent_path().filename();
  return name == model.path || name == last.string();
}

std::vector<int32_t> special_ids(const text::Tokenizer& tokenizer, const std::vector<std::string>& marks) {
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (!tokenizer.is_special(id)) continue;
    const std::string_view token = tokenizer.token_bytes(id);
    const bool part = std::any_of(marks.begin(), marks.end(), [token](const std::string& mark) {
      return !token.empty() && mark.find(token) != std::string::npos;
    });
    if (part) ids.push_back(id);
  }
  return ids;
}

}  // namespace

AnswerFormat make_answer_format(const text::OutputFormat& format, const text::Tokenizer& tokenizer) {
  AnswerFormat out{format, {}, {}, {}};
  out.tool_marks = special_ids(tokenizer, text::marks_of({format.tools, nullptr}));
  out.reasoning_marks = special_ids(tokenizer, text::marks_of({nullptr, format.reasoning}));
  if (!format.tools) return out;
  for (const std::string_view end : format.tools->ends) {
    if (const auto id = tokenizer.token_to_id(end)) out.ends.push_back(*id);
  }
  return out;
}

ApiResult<std::shared_ptr<const ServedModel>> ModelList::find(const std::string& name, bool exact) const {
  for (const auto& model : models_) {
    if (is_named(*model, name)) return model;
  }
  const auto writes = [](const auto& model) { return !model->embeds_only; };
  const auto first = std::find_if(models_.begin(), models_.end(), writes);
  if (!exact && std::count_if(models_.begin(), models_.end(), writes) == 1) return *first;
  std::string served;
  for (const auto& model : models_) served += (served.empty() ? "" : ", ") + model->id;
  return model_not_found(name, served);
}

ApiResult<std::shared_ptr<const ServedModel>> ModelList::find_embedder(const std::string& name) const {
  if (auto named = find(name, /*exact=*/true)) return named;
  for (const auto& model : models_) {
    if (model->embeds_only) return model;
  }
  return find(name);
}

OrderedJson ModelList::model_json(const ServedModel& model) {
  return {{"id", model.id}, {"object", "model"}, {"created", model.created}, {"owned_by", "MLC-LLM"}};
}

OrderedJson ModelList::list_json() const {
  OrderedJson data = OrderedJson::array();
  for (const auto& model : models_) data.push_back(model_json(*model));
  return {{"object", "list"}, {"data", std::move(data)}};
}

}  // namespace mlc::protocol
