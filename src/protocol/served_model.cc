#include "protocol/served_model.h"

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

}  // namespace

ApiResult<std::shared_ptr<const ServedModel>> ModelList::find(const std::string& name, bool exact) const {
  for (const auto& model : models_) {
    if (is_named(*model, name)) return model;
  }
  if (models_.size() == 1 && !exact) return models_.front();
  std::string served;
  for (const auto& model : models_) served += (served.empty() ? "" : ", ") + model->id;
  return model_not_found(name, served);
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
