#include "model/builder.h"

#include "quant/scheme.h"

namespace mlc::model {

using graph::Dim;
using graph::Node;
using graph::Sym;
using graph::TensorType;
using graph::ValueId;
using graph::ValueKind;

namespace {
constexpr int64_t kPage = 16;
// Attention over long contexts may be split every 1024 positions: beginning anew and merging cost 1% of a segment.
constexpr int64_t kSegmentPages = 64;
}  // namespace

GraphBuilder::GraphBuilder(const ModelConfig& config, std::string scheme, DType kv_dtype)
    : config_(config), scheme_(std::move(scheme)), kv_dtype_(kv_dtype) {
  auto found = quant::scheme_by_name(scheme_);
  if (found) {
    dtype_ = (*found)->model_dtype();
  } else {
    status_ = found.error();
  }
  const Dim t = Dim::of(Sym::kTokens);
  auto input = [&](const char* name, DType type, std::vector<Dim> shape) {
    inputs_[name] = g_.add_value(name, {type, std::move(shape)}, ValueKind::kInput);
  };
  // The order is part of the artifact: artifact/artifact.h.
  input("token_ids", DType::i32(), {t});
  input("positions", DType::i32(), {t});
  input("slots", DType::i32(), {t});
  input("table_start", DType::i32(), {t});
  input("block_tables", DType::i32(), {Dim::of(Sym::kBlockTable)});
  input("rope_cos", DType::f32(), {t, config.head_dim / 2});
  input("rope_sin", DType::f32(), {t, config.head_dim / 2});
  input("logit_rows", DType::i32(), {Dim::of(Sym::kLogitRows)});
}

std::shared_ptr<const quant::PackedLinear> GraphBuilder::weight(const std::string& prefix, int64_t n, int64_t k) {
  auto& entry = weights_[prefix];
  if (entry) return entry;
  auto packed = quant::PackedLinear::create(scheme_, prefix, n, k);
  if (!packed) {
    if (status_) status_ = packed.error();
    // Building goes on with a stand-in, so that arch files need no error handling; finish() reports.
    packed = quant::PackedLinear::create("q0f32", prefix, n, k);
  }
  return entry = std::make_shared<const quant::PackedLinear>(std::move(packed).value());
}

std::vector<ValueId> GraphBuilder::weight_params(const quant::PackedLinear& w) {
  std::vector<ValueId> ids;
  for (const quant::PackedTensor& t : w.tensors()) ids.push_back(g_.add_param(t));
  return ids;
}

ValueId GraphBuilder::embedding(const std::string& prefix) {
  Node node;
  node.name = prefix;
  node.op = "embedding";
  node.weight = weight(prefix, config_.vocab_size, config_.hidden_size);
  node.inputs = {inputs_.at("token_ids")};
  for (ValueId v : weight_params(*node.weight)) node.inputs.push_back(v);
  return g_.add_op(node, {prefix + ".out"})[0];
}

ValueId GraphBuilder::rms_norm(ValueId x, const std::string& prefix) {
  const int64_t n = config_.hidden_size;
  Node node;
  node.name = prefix;
  node.op = "rms_norm";
  node.attrs = {{"n", n}, {"eps", config_.rms_norm_eps}};
  node.inputs = {x,
                 g_.add_param(quant::packed_vector(prefix + ".weight", dtype_, n, quant::round_up(n, quant::kLanes)))};
  return g_.add_op(node, {prefix + ".out"})[0];
}

ValueId GraphBuilder::linear(ValueId x, const std::string& prefix, int64_t n, int64_t k, bool bias) {
  Node node;
  node.name = prefix;
  node.op = "linear";
  node.weight = weight(prefix, n, k);
  node.inputs = {x};
  for (ValueId v : weight_params(*node.weight)) node.inputs.push_back(v);
  const ValueId product = g_.add_op(node, {prefix + ".out"})[0];
  if (!bias) return product;
  Node add;
  add.name = prefix + ".bias";
  add.op = "add_bias";
  add.inputs = {product,
                g_.add_param(quant::packed_vector(prefix + ".bias", dtype_, n, quant::round_up(n, quant::kLanes)))};
  return g_.add_op(add, {prefix + ".biased"})[0];
}

ValueId GraphBuilder::add(ValueId a, ValueId b, const std::string& name) {
  Node node;
  node.name = name;
  node.op = "add";
  node.inputs = {a, b};
  return g_.add_op(node, {name + ".out"})[0];
}

ValueId GraphBuilder::silu_mul(ValueId gate_up, int64_t n, const std::string& name) {
  Node node;
  node.name = name;
  node.op = "silu_mul";
  node.attrs = {{"n", n}};
  node.inputs = {gate_up};
  return g_.add_op(node, {name + ".out"})[0];
}

ValueId GraphBuilder::attention(ValueId qkv, int64_t layer, const std::string& name) {
  const Dim pages = Dim::of(Sym::kPages);
  const int64_t kv = config_.num_kv_heads, d = config_.head_dim;
  std::vector<ValueId> cache;
  const int first = static_cast<int>(layer) * (kv_dtype_ == DType::i8() ? 4 : 2);
  auto add = [&](const char* what, DType type, std::vector<Dim> shape) {
    const int number = first + static_cast<int>(cache.size());
    cache.push_back(g_.add_kv(name + what, TensorType{type, std::move(shape)}, number));
  };
  add(".k", kv_dtype_, {pages, kv, d, kPage});
  add(".v", kv_dtype_, {pages, kv, kPage, d});
  if (kv_dtype_ == DType::i8()) {
    add(".k_scale", DType::f32(), {pages, kv, kPage});
    add(".v_scale", DType::f32(), {pages, kv, kPage});
  }
  Node rope;
  rope.name = name + ".rope";
  rope.op = "rope_append";
  rope.attrs = {{"heads", config_.num_heads}, {"kv_heads", kv}, {"head_dim", d}};
  rope.inputs = {qkv, inputs_.at("rope_cos"), inputs_.at("rope_sin"), inputs_.at("slots")};
  rope.inputs.insert(rope.inputs.end(), cache.begin(), cache.end());
  rope.outputs = cache;
  const ValueId q = g_.add_op(rope, {name + ".q"})[0];
  Node whole;
  whole.name = name;
  whole.op = "attention";
  whole.attrs = rope.attrs;
  whole.attrs["segment"] = kSegmentPages;
  whole.inputs = {q, inputs_.at("positions"), inputs_.at("table_start"), inputs_.at("block_tables")};
  whole.inputs.insert(whole.inputs.end(), cache.begin(), cache.end());
  whole.when = graph::When::kWholeAttention;
  const ValueId out = g_.add_op(whole, {name + ".out"})[0];
  Node split = whole;
  split.name = name + ".parts";
  split.op = "attention_parts";
  split.when = graph::When::kSplitAttention;
  split.outputs = {};
  const ValueId parts = g_.add_op(split, {split.name})[0];
  Node combine;
  combine.name = name + ".combine";
  combine.op = "attention_combine";
  combine.attrs = whole.attrs;
  combine.inputs = {parts, inputs_.at("positions")};
  combine.outputs = {out};
  combine.when = graph::When::kSplitAttention;
  g_.add_op(combine, {});
  return out;
}

ValueId GraphBuilder::take_logit_rows(ValueId x) {
  Node node;
  node.name = "take_logit_rows";
  node.op = "take_rows";
  node.inputs = {x, inputs_.at("logit_rows")};
  return g_.add_op(node, {"logit_hidden"})[0];
}

void GraphBuilder::mark_output(ValueId id, const std::string& name) {
  graph::Value& value = g_.values[static_cast<size_t>(id)];
  value.kind = ValueKind::kOutput;
  value.name = name;
}

Result<graph::Graph> GraphBuilder::finish(ValueId logits) {
  if (!status_) return status_.error();
  mark_output(logits, "logits");
  return std::move(g_);
}

}  // namespace mlc::model
