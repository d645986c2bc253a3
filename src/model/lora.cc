#include "model/lora.h"

#include <cmath>
#include <map>

#include "base/cpu_count.h"
#include "base/file.h"
#include "base/json.h"
#include "base/parallel.h"
#include "weights/safetensors.h"

namespace mlc::model {
namespace {

using weights::TensorData;
using weights::TensorInfo;
using weights::TensorSource;

struct AdapterConfig {
  double alpha = 0;
  bool rank_stabilized = false;
};

struct Pair {
  std::string a, b;  // names in the adapter: [rank, in] and [out, rank]
};

bool is_true(const Json& j, const char* key) { return j.contains(key) && j[key] == true; }

Result<AdapterConfig> read_config(const std::string& path) {
  MLC_TRY(Json j, read_json_file(path));
  if (!j.is_object() || j.value("peft_type", Json("LORA")) != "LORA") {
    return error(ErrorCode::kUnsupported, "{}: not a LoRA adapter (\"peft_type\" must be \"LORA\")", path);
  }
  if (is_true(j, "use_dora")) return error(ErrorCode::kUnsupported, "{}: DoRA adapters cannot be merged here", path);
  if (is_true(j, "fan_in_fan_out")) {
    return error(ErrorCode::kUnsupported, "{}: \"fan_in_fan_out\" is not a part of these architectures", path);
  }
  if (j.contains("alpha_pattern") && j["alpha_pattern"].is_object() && !j["alpha_pattern"].empty()) {
    return error(ErrorCode::kUnsupported, "{}: \"alpha_pattern\" is not supported", path);
  }
  if (const Json bias = j.value("bias", Json("none")); bias != "none") {
    return error(ErrorCode::kUnsupported, "{}: \"bias\" is {}; adapters that train biases are not supported", path,
                 bias.dump());
  }
  if (!j.contains("lora_alpha") || !j["lora_alpha"].is_number()) {
    return error(ErrorCode::kCorrupt, "{}: the field \"lora_alpha\" is missing", path);
  }
  return AdapterConfig{j["lora_alpha"].get<double>(), is_true(j, "use_rslora")};
}

class MergedSource : public TensorSource {
 public:
  MergedSource(std::unique_ptr<TensorSource> base, std::unique_ptr<TensorSource> adapter, AdapterConfig config)
      : TensorSource(base->where()), base_(std::move(base)), adapter_(std::move(adapter)), config_(config) {}

  Result<void> build() {
    MLC_TRY_VOID(find_pairs());
    for (const auto& [target, pair] : pairs_) MLC_TRY_VOID(check_pair(target, pair));
    for (const TensorInfo& info : base_->tensors()) {
      TensorInfo merged = info;
      if (pairs_.count(info.name) != 0) merged.dtype = DType::f32();
      const bool added = add(std::move(merged));
      MLC_CHECK(added, "names of a source are unique");
    }
    for (const auto& [alias, stored] : base_->aliases()) add_alias(alias, stored);
    return {};
  }

 private:
  // "base_model.model.<module>.lora_A.weight", also with the adapter's name ("lora_A.default.weight").
  Result<void> find_pairs() {
    for (const TensorInfo& info : adapter_->tensors()) {
      const size_t at = info.name.find(".lora_");
      const bool is_a = at != std::string::npos && info.name.compare(at, 8, ".lora_A.") == 0;
      const bool is_b = at != std::string::npos && info.name.compare(at, 8, ".lora_B.") == 0;
      if (!(is_a || is_b) || !info.name.ends_with(".weight")) {
        return error(ErrorCode::kUnsupported, "{}: the tensor \"{}\" is not a LoRA matrix of a linear layer",
                     adapter_->where(), info.name);
      }
      std::string module = info.name.substr(0, at);
      for (const char* prefix : {"base_model.model.", "base_model."}) {
        if (module.starts_with(prefix)) {
          module = module.substr(std::string_view(prefix).size());
          break;
        }
      }
      const TensorInfo* target = base_->find(module + ".weight");
      if (target == nullptr) {
        return error(ErrorCode::kCorrupt, "{}: the tensor \"{}\" belongs to \"{}.weight\", which {} does not have",
                     adapter_->where(), info.name, module, base_->where());
      }
      Pair& pair = pairs_[target->name];
      std::string& slot = is_a ? pair.a : pair.b;
      if (!slot.empty())
        return error(ErrorCode::kCorrupt, "{}: \"{}\" and \"{}\" are for the same weight", adapter_->where(), slot,
                     info.name);
      slot = info.name;
    }
    if (pairs_.empty()) return error(ErrorCode::kCorrupt, "{}: the adapter holds no tensors", adapter_->where());
    return {};
  }

  Result<void> check_pair(const std::string& target, const Pair& pair) const {
    if (pair.a.empty() || pair.b.empty()) {
      return error(ErrorCode::kCorrupt, "{}: only one of the two LoRA matrices of \"{}\" is there", adapter_->where(),
                   target);
    }
    const TensorInfo &w = *base_->find(target), &a = *adapter_->find(pair.a), &b = *adapter_->find(pair.b);
    const bool fits = w.shape.size() == 2 && a.shape.size() == 2 && b.shape.size() == 2 && a.shape[0] == b.shape[1] &&
                      a.shape[0] > 0 && a.shape[1] == w.shape[1] && b.shape[0] == w.shape[0];
    if (!fits || !weights::is_float_weight(w.dtype) || !weights::is_float_weight(a.dtype) ||
        !weights::is_float_weight(b.dtype)) {
      return error(ErrorCode::kCorrupt, "{}: the LoRA matrices {} and {} do not fit \"{}\", which is {}",
                   adapter_->where(), a.str(), b.str(), target, w.str());
    }
    return {};
  }

  static Result<std::vector<float>> floats(const TensorSource& source, const std::string& name) {
    MLC_TRY(TensorData data, source.read(name));
    std::vector<float> out(static_cast<size_t>(data.info.num_elements()));
    weights::to_f32(data.info.dtype, data.bytes, 0, data.info.num_elements(), out.data());
    return out;
  }

  Result<TensorData> read_at(size_t index) const override {
    const TensorInfo& info = tensors()[index];
    auto it = pairs_.find(info.name);
    if (it == pairs_.end()) return base_->read(info.name);
    MLC_TRY(std::vector<float> w, floats(*base_, info.name));
    MLC_TRY(std::vector<float> a, floats(*adapter_, it->second.a));
    MLC_TRY(std::vector<float> b, floats(*adapter_, it->second.b));
    const int64_t rank = adapter_->find(it->second.a)->shape[0], k = info.shape[1];
    const double r = static_cast<double>(rank);
    const auto scale = static_cast<float>(config_.alpha / (config_.rank_stabilized ? std::sqrt(r) : r));
    parallel_ranges(info.shape[0], default_num_threads(), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        float* out = w.data() + row * k;
        for (int64_t j = 0; j < rank; ++j) {
          const float factor = scale * b[static_cast<size_t>(row * rank + j)];
          const float* in = a.data() + j * k;
          for (int64_t i = 0; i < k; ++i) out[i] += factor * in[i];
        }
      }
    });
    auto owner = std::make_shared<std::vector<float>>(std::move(w));
    return TensorData{info, std::as_bytes(std::span<const float>(*owner)), owner};
  }
  void release_at(size_t index) const override { base_->release(tensors()[index].name); }

  std::unique_ptr<TensorSource> base_, adapter_;
  AdapterConfig config_;
  std::map<std::string, Pair> pairs_;  // by the base's tensor
};

}  // namespace

Result<std::unique_ptr<TensorSource>> merge_lora(std::unique_ptr<TensorSource> base, const std::string& adapter_dir) {
  MLC_TRY(AdapterConfig config, read_config(join_path(adapter_dir, "adapter_config.json")));
  const std::string path = join_path(adapter_dir, "adapter_model.safetensors");
  if (!path_exists(path)) {
    const bool pickled = path_exists(join_path(adapter_dir, "adapter_model.bin"));
    return error(ErrorCode::kNotFound, "{}: no such file{}", path,
                 pickled ? "; adapter_model.bin must be saved as safetensors first" : "");
  }
  MLC_TRY(auto adapter, weights::open_safetensors(path));
  auto merged = std::make_unique<MergedSource>(std::move(base), std::move(adapter), config);
  MLC_TRY_VOID(merged->build());
  return std::unique_ptr<TensorSource>(std::move(merged));
}

}  // namespace mlc::model
