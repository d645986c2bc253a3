// The artifact as JSON. Sizes are arrays [constant, T, R, P, N, Q]; buffers are [kind letter, index]; variants are
// [kernel, min, max].
#include <cmath>
#include <nlohmann/json.hpp>

#include "artifact/abi.h"
#include "artifact/artifact.h"

namespace mlc::artifact {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kKindLetters = "ptiok";  // in the order of BufferKind
constexpr int64_t kMaxSize = int64_t{1} << 46;      // no size, count or dimension of ours is larger

Json size_json(const LinearSize& s) {
  Json j = Json::array({s.constant});
  for (int64_t c : s.coefficients) j.push_back(c);
  return j;
}

Json spec_json(const TensorSpec& s) { return {{"name", s.name}, {"dtype", s.dtype.str()}, {"shape", s.shape}}; }

Json specs_json(const std::vector<TensorSpec>& specs) {
  Json j = Json::array();
  for (const TensorSpec& s : specs) j.push_back(spec_json(s));
  return j;
}

Json facts_json(const ModelFacts& f) {
  return {{"model_type", f.model_type},
          {"quantization", f.quantization},
          {"activation", f.activation},
          {"vocab_size", f.vocab_size},
          {"hidden_size", f.hidden_size},
          {"num_layers", f.num_layers},
          {"num_heads", f.num_heads},
          {"num_kv_heads", f.num_kv_heads},
          {"head_dim", f.head_dim},
          {"context_window_size", f.context_window_size},
          {"prefill_chunk_size", f.prefill_chunk_size},
          {"max_batch_size", f.max_batch_size},
          {"kv_dtype", f.kv_dtype.str()},
          {"rope", {{"inv_freq", f.rope.inv_freq}, {"attention_scaling", f.rope.attention_scaling}}}};
}

Json call_json(const KernelCall& c) {
  Json j = {{"name", c.name},
            {"rows", static_cast<int>(c.rows)},
            {"when", static_cast<int>(c.when)},
            {"param_bytes", c.param_bytes},
            {"ops_per_row", c.ops_per_row}};
  j["variants"] = Json::array();
  j["buffers"] = Json::array();
  j["sizes"] = Json::array();
  for (const KernelVariant& v : c.variants) j["variants"].push_back({v.kernel, v.min, v.max});
  for (const BufferRef& b : c.buffers) {
    j["buffers"].push_back({std::string(1, kKindLetters[static_cast<size_t>(b.kind)]), b.index});
  }
  for (const LinearSize& s : c.sizes) j["sizes"].push_back(size_json(s));
  return j;
}

Json plan_json(const Plan& p) {
  Json j = {{"temps", Json::array()},
            {"calls", Json::array()},
            {"temp_bytes", size_json(p.temp_bytes)},
            {"segment_tokens", p.segment_tokens}};
  for (const Temp& t : p.temps) {
    j["temps"].push_back({{"name", t.name},
                          {"dtype", t.dtype.str()},
                          {"offset", size_json(t.offset_bytes)},
                          {"size", size_json(t.size_bytes)}});
  }
  for (const KernelCall& c : p.calls) j["calls"].push_back(call_json(c));
  return j;
}

// One JSON value and its path. The first error of a document is kept and everything after it reads as a default, so
// that readers need no early returns; read_json looks at the error once, at the end.
class Cursor {
 public:
  Cursor(const Json& json, std::string path, std::string& first_error)
      : json_(json), path_(std::move(path)), error_(first_error) {}

  bool ok() const { return error_.empty(); }
  void fail(const std::string& what) const {
    if (error_.empty()) error_ = fmt::format("{}: {}", path_.empty() ? "/" : path_, what);
  }

  Cursor at(const char* key) const {
    static const Json null;
    if (ok() && !json_.is_object()) fail(fmt::format("expected an object, found {}", json_.type_name()));
    auto it = json_.is_object() ? json_.find(key) : json_.end();
    const bool found = json_.is_object() && it != json_.end();
    if (!found) fail(fmt::format("the field \"{}\" is missing", key));
    return Cursor(found ? *it : null, path_ + "/" + key, error_);
  }
  Cursor at(size_t i) const { return Cursor(json_[i], fmt::format("{}/{}", path_, i), error_); }

  size_t array_size() const {
    if (ok() && !json_.is_array()) fail(fmt::format("expected an array, found {}", json_.type_name()));
    return ok() ? json_.size() : 0;
  }
  bool array_of(size_t n) const {
    const size_t size = array_size();
    if (ok() && size != n) fail(fmt::format("expected {} elements, found {}", n, size));
    return ok();
  }

  int64_t integer(int64_t min, int64_t max) const {
    if (!ok()) return min;
    if (!json_.is_number_integer()) return fail("expected an integer"), min;
    if (json_.is_number_unsigned() && json_.get<uint64_t>() > static_cast<uint64_t>(kMaxSize)) {
      return fail("the number is too large"), min;
    }
    const int64_t v = json_.get<int64_t>();
    if (v < min || v > max) return fail(fmt::format("{} is outside [{}, {}]", v, min, max)), min;
    return v;
  }
  float number() const {
    if (!ok()) return 0.0f;
    if (!json_.is_number()) return fail(fmt::format("expected a number, found {}", json_.type_name())), 0.0f;
    const float v = json_.get<float>();
    if (!std::isfinite(v)) fail("the number is not finite");
    return v;
  }
  std::string string() const {
    if (ok() && !json_.is_string()) fail(fmt::format("expected a string, found {}", json_.type_name()));
    return ok() ? json_.get<std::string>() : std::string();
  }
  DType dtype() const {
    const std::string text = string();
    const auto parsed = DType::parse(text);
    if (!parsed) return fail(fmt::format("\"{}\" is no element type", text)), DType::f32();
    return *parsed;
  }

 private:
  const Json& json_;
  std::string path_;
  std::string& error_;
};

LinearSize read_size(const Cursor& c) {
  LinearSize s;
  if (!c.array_of(1 + kNumSymbols)) return s;
  s.constant = c.at(size_t{0}).integer(-kMaxSize, kMaxSize);
  for (int i = 0; i < kNumSymbols; ++i)
    s.coefficients[i] = c.at(static_cast<size_t>(i) + 1).integer(-kMaxSize, kMaxSize);
  return s;
}

// min_dim: -1 where a dimension may be a symbol.
TensorSpec read_spec(const Cursor& c, int64_t min_dim) {
  TensorSpec s;
  s.name = c.at("name").string();
  s.dtype = c.at("dtype").dtype();
  const Cursor shape = c.at("shape");
  int64_t elements = 1;
  for (size_t i = 0, n = shape.array_size(); i < n; ++i) {
    const int64_t d = shape.at(i).integer(min_dim, kMaxSize);
    s.shape.push_back(d);
    if (d > 0 && elements > kMaxSize / d) shape.fail("the tensor is too large");
    if (d > 0 && c.ok()) elements *= d;
  }
  return s;
}

std::vector<TensorSpec> read_specs(const Cursor& c, int64_t min_dim) {
  std::vector<TensorSpec> specs;
  for (size_t i = 0, n = c.array_size(); i < n; ++i) specs.push_back(read_spec(c.at(i), min_dim));
  return specs;
}

ModelFacts read_facts(const Cursor& c) {
  ModelFacts f;
  auto count = [&](const char* key) { return c.at(key).integer(1, int64_t{1} << 31); };
  f.model_type = c.at("model_type").string();
  f.quantization = c.at("quantization").string();
  f.activation = c.at("activation").string();
  f.vocab_size = count("vocab_size");
  f.hidden_size = count("hidden_size");
  f.num_layers = count("num_layers");
  f.num_heads = count("num_heads");
  f.num_kv_heads = count("num_kv_heads");
  f.head_dim = count("head_dim");
  f.context_window_size = count("context_window_size");
  f.prefill_chunk_size = count("prefill_chunk_size");
  f.max_batch_size = count("max_batch_size");
  f.kv_dtype = c.at("kv_dtype").dtype();
  const Cursor rope = c.at("rope");
  const Cursor freq = rope.at("inv_freq");
  for (size_t i = 0, n = freq.array_size(); i < n; ++i) f.rope.inv_freq.push_back(freq.at(i).number());
  f.rope.attention_scaling = rope.at("attention_scaling").number();
  if (c.ok() && f.rope.inv_freq.size() != static_cast<size_t>(f.head_dim / 2)) {
    freq.fail(fmt::format("expected head_dim/2 = {} elements, found {}", f.head_dim / 2, f.rope.inv_freq.size()));
  }
  return f;
}

Param read_param(const Cursor& c) {
  Param p;
  p.packed = read_spec(c.at("packed"), 0);
  p.sources = read_specs(c.at("sources"), 0);
  p.pack_kernel = c.at("pack_kernel").string();
  if (c.ok() && p.sources.empty()) c.at("sources").fail("a parameter needs at least one source");
  if (c.ok() && p.pack_kernel.empty()) {
    if (p.sources.size() != 1 || p.sources[0].bytes() != p.packed.bytes()) {
      c.fail("without a pack kernel there must be one source with as many bytes as the packed tensor");
    }
  }
  return p;
}

// Variants must be ascending, without gaps, from 1 (or lower) to infinity.
std::vector<KernelVariant> read_variants(const Cursor& c) {
  std::vector<KernelVariant> out;
  int64_t next = 1;  // the smallest value not yet covered; 0 after an unlimited variant
  for (size_t i = 0, n = c.array_size(); i < n && c.ok(); ++i) {
    const Cursor v = c.at(i);
    if (!v.array_of(3)) break;
    KernelVariant k{v.at(size_t{0}).string(), v.at(1).integer(0, kMaxSize), v.at(2).integer(-1, kMaxSize)};
    if (v.ok() && k.kernel.empty()) v.fail("the kernel has no name");
    const bool starts = next > 0 && (k.min == next || (i == 0 && k.min <= 1));
    if (v.ok() && (!starts || (k.max >= 0 && k.max < k.min))) {
      v.fail(fmt::format("the range [{}, {}] does not continue the variants before it", k.min, k.max));
    }
    next = k.max < 0 ? 0 : k.max + 1;
    out.push_back(std::move(k));
  }
  if (c.ok() && next != 0) c.fail(fmt::format("no variant covers sizes from {} up", next));
  return out;
}

BufferRef read_buffer(const Cursor& c, const Artifact& a) {
  BufferRef ref;
  if (!c.array_of(2)) return ref;
  const std::string letter = c.at(size_t{0}).string();
  const size_t kind = letter.size() == 1 ? kKindLetters.find(letter[0]) : std::string_view::npos;
  if (kind == std::string_view::npos) return c.fail(fmt::format("\"{}\" is no kind of buffer", letter)), ref;
  ref.kind = static_cast<BufferKind>(kind);
  const size_t counts[] = {a.params.size(), a.plan.temps.size(), a.inputs.size(), a.outputs.size(), a.kv.size()};
  const int64_t index = c.at(1).integer(0, int64_t{1} << 31);
  if (c.ok() && index >= static_cast<int64_t>(counts[kind])) {
    c.fail(fmt::format("index {} but there are {} buffers of kind \"{}\"", index, counts[kind], letter));
  }
  ref.index = static_cast<int>(index);
  return ref;
}

KernelCall read_call(const Cursor& c, const Artifact& a) {
  KernelCall call;
  call.name = c.at("name").string();
  call.rows = static_cast<Symbol>(c.at("rows").integer(0, kNumSymbols - 1));
  call.when = static_cast<When>(c.at("when").integer(0, kNumWhens - 1));
  call.variants = read_variants(c.at("variants"));
  const Cursor buffers = c.at("buffers");
  for (size_t i = 0, n = buffers.array_size(); i < n; ++i) call.buffers.push_back(read_buffer(buffers.at(i), a));
  const Cursor sizes = c.at("sizes");
  for (size_t i = 0, n = sizes.array_size(); i < n; ++i) call.sizes.push_back(read_size(sizes.at(i)));
  call.param_bytes = c.at("param_bytes").integer(0, kMaxSize);
  call.ops_per_row = c.at("ops_per_row").integer(0, kMaxSize);
  return call;
}

void read_plan(const Cursor& c, Artifact& a) {
  const Cursor temps = c.at("temps");
  for (size_t i = 0, n = temps.array_size(); i < n; ++i) {
    const Cursor t = temps.at(i);
    a.plan.temps.push_back(
        {t.at("name").string(), t.at("dtype").dtype(), read_size(t.at("offset")), read_size(t.at("size"))});
  }
  a.plan.temp_bytes = read_size(c.at("temp_bytes"));
  a.plan.segment_tokens = c.at("segment_tokens").integer(0, kMaxSize);
  const Cursor calls = c.at("calls");
  for (size_t i = 0, n = calls.array_size(); i < n; ++i) {
    a.plan.calls.push_back(read_call(calls.at(i), a));
    if (c.ok() && a.plan.calls.back().when != When::kAlways && a.plan.segment_tokens == 0) {
      calls.at(i).fail("a form of attention that may be split, without the length of segments");
    }
  }
}

}  // namespace

std::string write_json(const Artifact& a) {
  Json j = {{"abi_version", a.abi_version},
            {"compiler", a.compiler},
            {"target", a.target},
            {"target_features", a.target_features},
            {"layout_id", a.layout_id},
            {"facts", facts_json(a.facts)},
            {"inputs", specs_json(a.inputs)},
            {"outputs", specs_json(a.outputs)},
            {"kv", specs_json(a.kv)},
            {"plan", plan_json(a.plan)}};
  j["params"] = Json::array();
  for (const Param& p : a.params) {
    j["params"].push_back(
        {{"packed", spec_json(p.packed)}, {"sources", specs_json(p.sources)}, {"pack_kernel", p.pack_kernel}});
  }
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Artifact> read_json(std::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return error(ErrorCode::kCorrupt, "the artifact is not valid JSON; compile the model again");
  std::string problem;
  const Cursor root(json, "", problem);
  Artifact a;
  // The version first: nothing else of another version's artifact can be trusted to mean the same.
  a.abi_version = static_cast<int>(root.at("abi_version").integer(0, 1 << 30));
  if (root.ok() && a.abi_version != kAbiVersion) {
    return error(
        ErrorCode::kUnsupported,
        "the library was compiled for interface version {}, this program has version {}; compile the model again",
        a.abi_version, kAbiVersion);
  }
  a.compiler = root.at("compiler").string();
  a.target = root.at("target").string();
  a.target_features = root.at("target_features").string();
  a.layout_id = root.at("layout_id").string();
  a.facts = read_facts(root.at("facts"));
  const Cursor params = root.at("params");
  for (size_t i = 0, n = params.array_size(); i < n; ++i) a.params.push_back(read_param(params.at(i)));
  a.inputs = read_specs(root.at("inputs"), -1);
  a.outputs = read_specs(root.at("outputs"), -1);
  a.kv = read_specs(root.at("kv"), -1);
  read_plan(root.at("plan"), a);
  if (!problem.empty()) {
    return error(ErrorCode::kCorrupt, "the artifact is damaged: {}; compile the model again", problem);
  }
  return a;
}

}  // namespace mlc::artifact
