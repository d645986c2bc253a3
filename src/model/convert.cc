#include "model/convert.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>

#include "base/cpu_count.h"
#include "base/parallel.h"
#include "weights/mlc_shards.h"

namespace mlc::model {
namespace {

using weights::TensorData;
using weights::TensorInfo;
using weights::TensorSource;

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string s;
  for (int64_t d : shape) s += (s.empty() ? "[" : ", ") + std::to_string(d);
  return s + "]";
}

const TensorInfo* find_source(const TensorSource& source, const ParamSource& wanted) {
  const TensorInfo* info = source.find(wanted.name);
  if (info == nullptr && !wanted.alternative.empty()) info = source.find(wanted.alternative);
  return info;
}

// At most a few names, and how many more there are.
std::string name_some(const std::vector<std::string>& names) {
  constexpr size_t kShown = 4;
  std::string s;
  for (size_t i = 0; i < names.size() && i < kShown; ++i) s += (i == 0 ? "\"" : ", \"") + names[i] + "\"";
  if (names.size() > kShown) s += fmt::format(" and {} more", names.size() - kShown);
  return s;
}

Result<void> check_source(const TensorSource& source, const ParamSource& wanted) {
  const TensorInfo* info = find_source(source, wanted);
  if (info->shape != wanted.shape) {
    return error(ErrorCode::kCorrupt, "{}: the tensor \"{}\" has the shape {}; config.json asks for {}", source.where(),
                 info->name, shape_text(info->shape), shape_text(wanted.shape));
  }
  if (!weights::is_float_weight(info->dtype)) {
    return error(ErrorCode::kUnsupported,
                 "{}: the tensor \"{}\" has the dtype {}; weights must be f32, f16, bf16 or f64 (is this checkpoint "
                 "already quantized?)",
                 source.where(), info->name, info->dtype.str());
  }
  return {};
}

// Buffers that old checkpoints carry and nothing needs.
bool is_known_buffer(const std::string& name) {
  return name.ends_with("rotary_emb.inv_freq") || name.ends_with("attn.bias") || name.ends_with("attn.masked_bias");
}

std::vector<std::string> unused_tensors(const TensorSource& source, const ModelConfig& config) {
  std::set<std::string> used;
  for (const ParamRule& rule : param_rules(config)) {
    for (const ParamSource& s : rule.sources) {
      used.insert(s.name);
      used.insert(s.alternative);
    }
  }
  std::vector<std::string> unused;
  for (const TensorInfo& info : source.tensors()) {
    if (used.count(info.name) == 0 && !is_known_buffer(info.name)) unused.push_back(info.name);
  }
  for (const auto& [alias, stored] : source.aliases()) {
    if (used.count(alias) != 0) std::erase(unused, stored);
  }
  return unused;
}

Error does_not_fit(const TensorSource& source, const std::string& name, const quant::Scheme& scheme) {
  return error(
      ErrorCode::kUnsupported,
      "{}: the tensor \"{}\" holds values that are not finite or too large for {} ({}); choose a scheme with a "
      "wider type, such as q4f32_1 or q0f32",
      source.where(), name, scheme.model_dtype().str(), scheme.name());
}

// Encodes one source into rows first_row … of the parameter's buffers.
bool encode_rows(const TensorData& data, const ParamRule& rule, const quant::Scheme& scheme, int64_t first_row,
                 std::span<const std::span<std::byte>> buffers, int num_threads) {
  constexpr int64_t kFloatsAtOnce = 1 << 16;
  const int64_t k = rule.k;
  const int64_t rows_at_once = std::max<int64_t>(1, kFloatsAtOnce / k);
  std::atomic<bool> fits{true};
  parallel_ranges(data.info.shape[0], num_threads, [&](int64_t begin, int64_t end) {
    std::vector<float> rows(static_cast<size_t>(std::min(rows_at_once, end - begin) * k));
    for (int64_t r = begin; r < end; r += rows_at_once) {
      const int64_t count = std::min(rows_at_once, end - r);
      weights::to_f32(data.info.dtype, data.bytes, r * k, count * k, rows.data());
      if (!scheme.encode(rows.data(), first_row + r, count, k, buffers)) fits = false;
    }
  });
  return fits;
}

Result<EncodedParam> encode_vector(const TensorSource& source, const ParamRule& rule, const quant::Scheme& scheme) {
  EncodedParam out;
  out.infos.push_back({rule.name, scheme.model_dtype(), {rule.n}});
  out.data.emplace_back(static_cast<size_t>(out.infos[0].bytes()));
  int64_t at = 0;
  for (const ParamSource& s : rule.sources) {
    MLC_TRY(TensorData data, source.read(find_source(source, s)->name));
    const int64_t n = data.info.num_elements();
    std::vector<float> values(static_cast<size_t>(n));
    weights::to_f32(data.info.dtype, data.bytes, 0, n, values.data());
    const float limit = quant::largest_finite(scheme.model_dtype());
    for (float x : values) {
      if (!(std::abs(x) <= limit)) return does_not_fit(source, data.info.name, scheme);
    }
    weights::from_f32(scheme.model_dtype(), values.data(), n, out.data[0], at);
    at += n;
  }
  return out;
}

}  // namespace

Result<EncodedParam> encode_param(const TensorSource& source, const ParamRule& rule, const quant::Scheme& scheme,
                                  int num_threads) {
  if (!rule.is_matrix) return encode_vector(source, rule, scheme);
  EncodedParam out;
  std::vector<std::span<std::byte>> buffers;
  for (const quant::Part& part : scheme.parts(rule.n, rule.k)) {
    out.infos.push_back({rule.name + part.suffix, part.dtype, part.shape});
    out.data.emplace_back(static_cast<size_t>(part.bytes()));
  }
  for (auto& d : out.data) buffers.emplace_back(d);
  int64_t row = 0;
  for (const ParamSource& s : rule.sources) {
    const std::string name = find_source(source, s)->name;
    MLC_TRY(TensorData data, source.read(name));
    if (!encode_rows(data, rule, scheme, row, buffers, num_threads)) return does_not_fit(source, name, scheme);
    row += data.info.shape[0];
    source.release(name);
  }
  return out;
}

Result<void> check_checkpoint(const TensorSource& source, const ModelConfig& config) {
  const std::vector<ParamRule> rules = param_rules(config);
  std::vector<std::string> missing;
  for (const ParamRule& rule : rules) {
    for (const ParamSource& s : rule.sources) {
      if (find_source(source, s) == nullptr) missing.push_back(s.name);
    }
  }
  if (!missing.empty()) {
    const bool only_head = missing.size() == 1 && missing[0] == "lm_head.weight";
    return error(ErrorCode::kCorrupt, "{}: missing tensors: {}{}", source.where(), name_some(missing),
                 only_head ? "; if the model shares it with the embedding, config.json must say "
                             "\"tie_word_embeddings\": true"
                           : "");
  }
  for (const ParamRule& rule : rules) {
    for (const ParamSource& s : rule.sources) MLC_TRY_VOID(check_source(source, s));
  }
  return {};
}

Result<ConvertReport> convert(const TensorSource& source, const ModelConfig& config, const quant::Scheme& scheme,
                              const std::string& out_dir, const ConvertOptions& options) {
  MLC_TRY_VOID(check_checkpoint(source, config));
  ConvertReport report;
  report.num_parameters = config.num_parameters();
  if (auto unused = unused_tensors(source, config); !unused.empty()) {
    report.warnings.push_back(fmt::format("{}: {} tensors are not a part of {} and were left out: {}", source.where(),
                                          unused.size(), config.architecture, name_some(unused)));
  }
  const int threads = options.num_threads > 0 ? options.num_threads : default_num_threads();
  MLC_TRY(weights::MlcWriter writer, weights::MlcWriter::create(out_dir));
  ConvertProgress progress;
  progress.total = report.num_parameters;
  for (const ParamRule& rule : param_rules(config)) {
    MLC_TRY(EncodedParam param, encode_param(source, rule, scheme, threads));
    for (size_t i = 0; i < param.infos.size(); ++i) MLC_TRY_VOID(writer.add(param.infos[i], param.data[i]));
    progress.done += rule.is_matrix ? rule.n * rule.k : rule.n;
    progress.name = rule.name;
    if (options.progress) options.progress(progress);
  }
  MLC_TRY_VOID(writer.finish(report.num_parameters));
  report.bytes = writer.bytes_written();
  report.bits_per_parameter = static_cast<double>(report.bytes) * 8 / static_cast<double>(report.num_parameters);
  return report;
}

}  // namespace mlc::model
