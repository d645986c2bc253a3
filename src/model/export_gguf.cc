#include "model/export_gguf.h"

#include <fmt/format.h>

#include <memory>

#include "model/params.h"

namespace mlc::model {
namespace {

using weights::GgufType;
using weights::GgufWriter;

// A matrix or vector of a model directory as f32 rows; holds the tensors of the last one that was asked for.
class RuleReader {
 public:
  RuleReader(const weights::TensorSource& source, const quant::Scheme& scheme) : source_(source), scheme_(scheme) {}

  Result<void> read(const ParamRule& rule, int64_t first, int64_t count, float* rows) {
    if (rule.name != open_) MLC_TRY_VOID(open(rule));
    if (!rule.is_matrix) {
      weights::to_f32(data_[0].info.dtype, data_[0].bytes, first, count, rows);
    } else {
      scheme_.decode(buffers_, first, count, rule.k, rows);
    }
    return {};
  }

 private:
  Result<void> open(const ParamRule& rule) {
    for (const auto& d : data_) source_.release(d.info.name);
    data_.clear();
    buffers_.clear();
    open_.clear();
    std::vector<std::string> names = {rule.name};
    if (rule.is_matrix) {
      names.clear();
      for (const quant::Part& part : scheme_.parts(rule.n, rule.k)) names.push_back(rule.name + part.suffix);
    }
    for (const std::string& name : names) {
      MLC_TRY(auto data, source_.read(name));
      data_.push_back(std::move(data));
    }
    for (const auto& d : data_) buffers_.push_back(d.bytes);
    open_ = rule.name;
    return {};
  }

  const weights::TensorSource& source_;
  const quant::Scheme& scheme_;
  std::string open_;
  std::vector<weights::TensorData> data_;
  std::vector<std::span<const std::byte>> buffers_;
};

// GGUF's name for a Hugging Face tensor of these architectures.
std::string gguf_name(const std::string& name) {
  static const std::vector<std::pair<std::string, std::string>> kNames = {
      {"self_attn.q_proj", "attn_q"},      {"self_attn.k_proj", "attn_k"},   {"self_attn.v_proj", "attn_v"},
      {"self_attn.o_proj", "attn_output"}, {"mlp.gate_proj", "ffn_gate"},    {"mlp.up_proj", "ffn_up"},
      {"mlp.down_proj", "ffn_down"},       {"input_layernorm", "attn_norm"}, {"post_attention_layernorm", "ffn_norm"}};
  if (name == "model.embed_tokens.weight") return "token_embd.weight";
  if (name == "model.norm.weight") return "output_norm.weight";
  if (name == "lm_head.weight") return "output.weight";
  const std::string prefix = "model.layers.";
  MLC_CHECK(name.starts_with(prefix), "no GGUF name for {}", name);
  const size_t dot = name.find('.', prefix.size()), end = name.rfind('.');
  const std::string module = name.substr(dot + 1, end - dot - 1);
  for (const auto& [ours, theirs] : kNames) {
    if (module == ours)
      return "blk." + name.substr(prefix.size(), dot - prefix.size()) + "." + theirs + name.substr(end);
  }
  MLC_UNREACHABLE("no GGUF name for {}", name);
}

// Row r of a projection in llama.cpp's order for its "llama" architecture, which rotates elements 2i and 2i + 1 of a
// head where ours rotates i and i + head_dim / 2.
int64_t rotated_row(int64_t r, int64_t head_dim) {
  const int64_t head = r / head_dim, i = r % head_dim;
  return head * head_dim + i % 2 * (head_dim / 2) + i / 2;
}

void add_tensors(GgufWriter& w, const std::shared_ptr<RuleReader>& reader, const ModelConfig& c, GgufType type) {
  for (const ParamRule& rule : param_rules(c)) {
    int64_t offset = 0;
    for (const ParamSource& s : rule.sources) {
      const int64_t rows = s.shape[0];
      const bool rotate = c.model_type != "qwen2" &&
                          (s.name.find("q_proj.") != std::string::npos || s.name.find("k_proj.") != std::string::npos);
      GgufWriter::Tensor t;
      t.name = gguf_name(s.name);
      t.shape = s.shape;
      t.type = !rule.is_matrix                                               ? GgufType::kF32
               : rule.k % weights::kGgufBlock == 0 || type == GgufType::kF32 ? type
                                                                             : GgufType::kF16;
      const int64_t width = rule.is_matrix ? rule.k : 1;
      t.rows = [=, head_dim = c.head_dim](int64_t first, int64_t count, float* out) -> Result<void> {
        // A vector is one row of the file, but elements are what is reordered.
        const int64_t from = rule.is_matrix ? first : 0, n = rule.is_matrix ? count : rows;
        if (!rotate) return reader->read(rule, offset + from, n, out);
        for (int64_t i = 0; i < n; ++i) {
          MLC_TRY_VOID(reader->read(rule, offset + rotated_row(from + i, head_dim), 1, out + i * width));
        }
        return {};
      };
      w.tensor(std::move(t));
      offset += rows;
    }
  }
}

void add_rope_scaling(GgufWriter& w, const ModelConfig& c, const std::string& arch) {
  const RopeScaling& s = c.rope_scaling;
  auto text = [&](const char* key, const char* value) { w.meta(arch + ".rope.scaling." + key, std::string(value)); };
  switch (s.kind) {
    case RopeScalingKind::kNone:
      return;
    case RopeScalingKind::kLinear:
    case RopeScalingKind::kYarn:
      text("type", s.kind == RopeScalingKind::kLinear ? "linear" : "yarn");
      w.meta(arch + ".rope.scaling.factor", static_cast<float>(s.factor));
      if (s.original_max_positions > 0) {
        w.meta(arch + ".rope.scaling.original_context_length", static_cast<uint32_t>(s.original_max_positions));
      }
      return;
    case RopeScalingKind::kLlama3:
      break;
  }
  // Llama 3's scaling is a divisor per frequency, which is a tensor of its own.
  ModelConfig plain = c;
  plain.rope_scaling = {};
  std::vector<float> divisors = compute_rope(plain).inv_freq;
  const std::vector<float> scaled = compute_rope(c).inv_freq;
  for (size_t i = 0; i < divisors.size(); ++i) divisors[i] /= scaled[i];
  GgufWriter::Tensor t{"rope_freqs.weight", {static_cast<int64_t>(divisors.size())}, GgufType::kF32, {}};
  t.rows = [divisors](int64_t, int64_t, float* out) -> Result<void> {
    std::copy(divisors.begin(), divisors.end(), out);
    return {};
  };
  w.tensor(std::move(t));
}

uint32_t file_type(GgufType type) {
  switch (type) {
    case GgufType::kF32:
      return 0;
    case GgufType::kF16:
      return 1;
    case GgufType::kQ4_0:
      return 2;
    case GgufType::kQ8_0:
      return 7;
  }
  MLC_UNREACHABLE("GGUF type {}", static_cast<uint32_t>(type));
}

void add_metadata(GgufWriter& w, const ModelConfig& c, const std::string& arch, const ExportOptions& options) {
  auto number = [&](const char* key, int64_t v) { w.meta(arch + "." + key, static_cast<uint32_t>(v)); };
  w.meta("general.architecture", arch);
  w.meta("general.name", options.name.empty() ? c.model_type : options.name);
  w.meta("general.quantization_version", uint32_t{2});
  w.meta("general.file_type", file_type(options.type));
  number("block_count", c.num_layers);
  number("context_length", c.max_position_embeddings);
  number("embedding_length", c.hidden_size);
  number("feed_forward_length", c.intermediate_size);
  number("attention.head_count", c.num_heads);
  number("attention.head_count_kv", c.num_kv_heads);
  number("attention.key_length", c.head_dim);
  number("attention.value_length", c.head_dim);
  number("rope.dimension_count", c.head_dim);
  number("vocab_size", c.vocab_size);
  w.meta(arch + ".attention.layer_norm_rms_epsilon", static_cast<float>(c.rms_norm_eps));
  w.meta(arch + ".rope.freq_base", static_cast<float>(c.rope_theta));
}

}  // namespace

Result<ExportReport> export_gguf(const weights::TensorSource& source, const quant::Scheme& scheme,
                                 const ModelConfig& config, const ExportOptions& options, const std::string& path) {
  MLC_TRY_VOID(check_stored_tensors(source, config, scheme));
  const std::string arch = config.model_type == "qwen2" ? "qwen2" : "llama";
  GgufWriter writer;
  add_metadata(writer, config, arch, options);
  ExportReport report;
  MLC_TRY(report.has_tokenizer, add_gguf_tokenizer(writer, config, options.tokenizer_file));
  add_rope_scaling(writer, config, arch);
  add_tensors(writer, std::make_shared<RuleReader>(source, scheme), config, options.type);
  report.tensors = writer.num_tensors();
  MLC_TRY(report.bytes, writer.write(path, options.progress));
  return report;
}

}  // namespace mlc::model
