#include "hub/select.h"

#include <algorithm>
#include <set>

#include "base/json.h"

namespace mlc::hub {
namespace {

constexpr const char* kMlcIndexes[] = {"tensor-cache.json", "ndarray-cache.json"};
constexpr const char* kSafetensorsIndex = "model.safetensors.index.json";

constexpr const char* kDescriptions[] = {
    "config.json",
    "generation_config.json",
    "mlc-chat-config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "encoder.json",
    "vocab.bpe",
    "chat_template.jinja",
    "chat_template.json",
    "tensor-cache.json",
    "ndarray-cache.json",
    "model.safetensors.index.json",
};

bool at_top(const RemoteFile& file) { return file.path.find('/') == std::string::npos; }

// "params_shard_0.bin" … of {"records": [{"dataPath": …}]}; "model-00001-of-00002.safetensors" … of {"weight_map":
// {…}}.
std::set<std::string> names_in_index(const Json& index) {
  std::set<std::string> names;
  if (!index.is_object()) return names;
  if (const auto records = index.find("records"); records != index.end() && records->is_array()) {
    for (const Json& record : *records) {
      const auto path = record.is_object() ? record.find("dataPath") : record.end();
      if (path != record.end() && path->is_string()) names.insert(path->get<std::string>());
    }
  }
  if (const auto map = index.find("weight_map"); map != index.end() && map->is_object()) {
    for (const Json& file : *map) {
      if (file.is_string()) names.insert(file.get<std::string>());
    }
  }
  return names;
}

Result<std::vector<RemoteFile>> select_by_index(const Listing& listing, const std::string& name,
                                                const std::string& text) {
  const std::set<std::string> names = names_in_index(Json::parse(text, nullptr, /*allow_exceptions=*/false));
  if (names.empty()) return error(ErrorCode::kCorrupt, "{} of the repository names no files of weights", name);
  std::vector<RemoteFile> files;
  for (const std::string& wanted : names) {
    const RemoteFile* file = listing.find(wanted);
    if (file == nullptr || !at_top(*file)) {
      return error(ErrorCode::kCorrupt, "{} of the repository names {}, which is not in it", name, wanted);
    }
    files.push_back(*file);
  }
  return files;
}

// What else there is, for a message.
std::string other_formats(const Listing& listing) {
  std::set<std::string> found;
  for (const RemoteFile& file : listing.files) {
    const size_t dot = file.path.rfind('.');
    const std::string extension = dot == std::string::npos ? "" : file.path.substr(dot);
    for (const char* known : {".bin", ".pt", ".pth", ".gguf", ".onnx", ".h5", ".msgpack", ".safetensors"}) {
      if (extension == known) found.insert("*" + extension);
    }
  }
  std::string text;
  for (const std::string& one : found) text += (text.empty() ? "; there is " : ", ") + one;
  return text;
}

}  // namespace

std::vector<RemoteFile> select_descriptions(const Listing& listing) {
  std::vector<RemoteFile> files;
  for (const RemoteFile& file : listing.files) {
    if (std::find(std::begin(kDescriptions), std::end(kDescriptions), file.path) != std::end(kDescriptions)) {
      files.push_back(file);
    }
  }
  return files;
}

std::string weight_index(const Listing& listing) {
  for (const char* name : kMlcIndexes) {
    if (listing.find(name) != nullptr) return name;
  }
  return listing.find(kSafetensorsIndex) != nullptr ? kSafetensorsIndex : "";
}

Result<std::vector<RemoteFile>> select_weights(const Listing& listing, const std::string& index) {
  if (const std::string name = weight_index(listing); !name.empty()) return select_by_index(listing, name, index);
  std::vector<RemoteFile> found;
  for (const RemoteFile& file : listing.files) {
    if (file.path == "model.safetensors") return std::vector<RemoteFile>{file};
    if (at_top(file) && file.path.ends_with(".safetensors")) found.push_back(file);
  }
  if (found.size() == 1) return found;
  return error(ErrorCode::kNotFound,
               "the repository has no weights that are read here; expected *.safetensors with their index, or "
               "tensor-cache.json with its shards{}",
               other_formats(listing));
}

}  // namespace mlc::hub
