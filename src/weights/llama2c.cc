#include "weights/llama2c.h"

#include <cstring>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/mmap.h"
#include "weights/safetensors.h"

namespace mlc::weights {
namespace {

struct Header {
  int32_t dim, hidden_dim, num_layers, num_heads, num_kv_heads, vocab_size, seq_len;
};
constexpr uint32_t kMagicOfLaterVersions = 0x616b3432;  // "ak42"
constexpr int32_t kMaxSize = 1 << 24;

struct Checkpoint {
  Header h{};
  bool shared_classifier = true;
  std::shared_ptr<MappedFile> file;
  // Offsets in floats.
  int64_t embedding = 0, attention_norm = 0, wq = 0, wk = 0, wv = 0, wo = 0, ffn_norm = 0, w1 = 0, w2 = 0, w3 = 0,
          final_norm = 0, classifier = 0;

  int64_t head_dim() const { return h.dim / h.num_heads; }
  int64_t kv_dim() const { return head_dim() * h.num_kv_heads; }
  std::span<const std::byte> floats(int64_t first, int64_t count) const {
    return file->bytes().subspan(sizeof(Header) + static_cast<size_t>(first) * 4, static_cast<size_t>(count) * 4);
  }
};

Result<Checkpoint> open_checkpoint(const std::string& path) {
  Checkpoint c;
  MLC_TRY(c.file, MappedFile::open(path));
  if (c.file->size() < sizeof(Header)) {
    return error(ErrorCode::kCorrupt, "{}: {} bytes are too few for a llama2.c checkpoint", path, c.file->size());
  }
  std::memcpy(&c.h, c.file->bytes().data(), sizeof c.h);
  Header& h = c.h;
  if (static_cast<uint32_t>(h.dim) == kMagicOfLaterVersions) {
    return error(ErrorCode::kUnsupported, "{}: a llama2.c checkpoint of version {}; supported is the float32 version 0",
                 path, h.hidden_dim);
  }
  c.shared_classifier = h.vocab_size > 0;
  if (h.vocab_size < 0 && h.vocab_size > -kMaxSize) h.vocab_size = -h.vocab_size;
  for (int32_t n : {h.dim, h.hidden_dim, h.num_layers, h.num_heads, h.num_kv_heads, h.vocab_size, h.seq_len}) {
    if (n < 1 || n > kMaxSize) {
      return error(ErrorCode::kCorrupt, "{}: not a llama2.c checkpoint: a size in its header is {}", path, n);
    }
  }
  if (h.dim % h.num_heads != 0 || h.num_heads % h.num_kv_heads != 0 || c.head_dim() % 2 != 0) {
    return error(ErrorCode::kCorrupt, "{}: {} dimensions, {} heads and {} key-value heads do not fit together", path,
                 h.dim, h.num_heads, h.num_kv_heads);
  }
  const int64_t dim = h.dim, layers = h.num_layers, hidden = h.hidden_dim;
  // In 128 bits: a hostile header must not wrap around into a plausible size.
  __int128 at = 0;
  const auto take = [&](__int128 count) {
    const auto first = static_cast<int64_t>(at);
    at += count;
    return first;
  };
  const auto n = [](int64_t a, int64_t b, int64_t d) { return static_cast<__int128>(a) * b * d; };
  c.embedding = take(n(h.vocab_size, dim, 1));
  c.attention_norm = take(n(layers, dim, 1));
  c.wq = take(n(layers, dim, dim));
  c.wk = take(n(layers, c.kv_dim(), dim));
  c.wv = take(n(layers, c.kv_dim(), dim));
  c.wo = take(n(layers, dim, dim));
  c.ffn_norm = take(n(layers, dim, 1));
  c.w1 = take(n(layers, hidden, dim));
  c.w2 = take(n(layers, dim, hidden));
  c.w3 = take(n(layers, hidden, dim));
  c.final_norm = take(dim);
  take(n(h.seq_len, c.head_dim(), 1));  // the rotary tables, which are computed anew
  c.classifier = take(c.shared_classifier ? 0 : n(h.vocab_size, dim, 1));
  if (at * 4 + static_cast<__int128>(sizeof(Header)) != static_cast<__int128>(c.file->size())) {
    return error(ErrorCode::kCorrupt, "{}: the file has {} bytes; its header describes {}", path, c.file->size(),
                 static_cast<double>(at) * 4 + sizeof(Header));
  }
  return c;
}

// Rows (2i, 2i + 1) of each head become rows (i, i + head_dim / 2).
std::vector<std::byte> pairs_to_halves(std::span<const std::byte> rows, int64_t heads, int64_t head_dim,
                                       int64_t row_bytes) {
  std::vector<std::byte> out(rows.size());
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t r = 0; r < head_dim; ++r) {
      const int64_t to = h * head_dim + r / 2 + (r % 2) * (head_dim / 2);
      std::memcpy(out.data() + to * row_bytes, rows.data() + (h * head_dim + r) * row_bytes,
                  static_cast<size_t>(row_bytes));
    }
  }
  return out;
}

std::string config_json(const Checkpoint& c) {
  OrderedJson j;
  j["architectures"] = {"LlamaForCausalLM"};
  j["bos_token_id"] = 1;
  j["eos_token_id"] = 2;
  j["hidden_act"] = "silu";
  j["hidden_size"] = c.h.dim;
  j["intermediate_size"] = c.h.hidden_dim;
  j["max_position_embeddings"] = c.h.seq_len;
  j["model_type"] = "llama";
  j["num_attention_heads"] = c.h.num_heads;
  j["num_hidden_layers"] = c.h.num_layers;
  j["num_key_value_heads"] = c.h.num_kv_heads;
  j["rms_norm_eps"] = 1e-5;
  j["rope_theta"] = 10000.0;
  j["tie_word_embeddings"] = c.shared_classifier;
  j["torch_dtype"] = "float32";
  j["vocab_size"] = c.h.vocab_size;
  return j.dump(2) + "\n";
}

struct Piece {
  TensorInfo info;
  int64_t first = 0;         // in floats
  int64_t rotary_heads = 0;  // > 0: reorder its rows
};

std::vector<Piece> list_pieces(const Checkpoint& c) {
  std::vector<Piece> list;
  const auto put = [&](std::string name, int64_t rows, int64_t cols, int64_t base, int64_t layer,
                       int64_t rotary_heads = 0) {
    std::vector<int64_t> shape = rows == 0 ? std::vector<int64_t>{cols} : std::vector<int64_t>{rows, cols};
    const int64_t size = rows == 0 ? cols : rows * cols;
    list.push_back({{std::move(name), DType::f32(), std::move(shape)}, base + layer * size, rotary_heads});
  };
  const int64_t dim = c.h.dim, hidden = c.h.hidden_dim;
  put("model.embed_tokens.weight", c.h.vocab_size, dim, c.embedding, 0);
  for (int64_t l = 0; l < c.h.num_layers; ++l) {
    const std::string p = fmt::format("model.layers.{}.", l);
    put(p + "input_layernorm.weight", 0, dim, c.attention_norm, l);
    put(p + "self_attn.q_proj.weight", dim, dim, c.wq, l, c.h.num_heads);
    put(p + "self_attn.k_proj.weight", c.kv_dim(), dim, c.wk, l, c.h.num_kv_heads);
    put(p + "self_attn.v_proj.weight", c.kv_dim(), dim, c.wv, l);
    put(p + "self_attn.o_proj.weight", dim, dim, c.wo, l);
    put(p + "post_attention_layernorm.weight", 0, dim, c.ffn_norm, l);
    put(p + "mlp.gate_proj.weight", hidden, dim, c.w1, l);
    put(p + "mlp.down_proj.weight", dim, hidden, c.w2, l);
    put(p + "mlp.up_proj.weight", hidden, dim, c.w3, l);
  }
  put("model.norm.weight", 0, dim, c.final_norm, 0);
  if (!c.shared_classifier) put("lm_head.weight", c.h.vocab_size, dim, c.classifier, 0);
  return list;
}

}  // namespace

Result<void> import_llama2c(const std::string& checkpoint, const std::string& out_dir) {
  MLC_TRY(Checkpoint c, open_checkpoint(checkpoint));
  const bool made = !path_exists(out_dir);
  MLC_TRY_VOID(make_directories(out_dir));
  const auto write = [&]() -> Result<void> {
    const std::vector<Piece> pieces = list_pieces(c);
    std::vector<TensorInfo> infos;
    for (const Piece& p : pieces) infos.push_back(p.info);
    MLC_TRY(SafetensorsWriter writer, SafetensorsWriter::create(join_path(out_dir, "model.safetensors"), infos));
    for (const Piece& p : pieces) {
      const auto bytes = c.floats(p.first, p.info.num_elements());
      if (p.rotary_heads == 0) {
        MLC_TRY_VOID(writer.add(bytes));
      } else {
        MLC_TRY_VOID(writer.add(pairs_to_halves(bytes, p.rotary_heads, c.head_dim(), int64_t{4} * c.h.dim)));
      }
    }
    MLC_TRY_VOID(writer.finish());
    return write_file_atomic(join_path(out_dir, "config.json"), config_json(c));
  };
  auto written = write();
  if (!written && made) (void)remove_all(out_dir);
  return written;
}

}  // namespace mlc::weights
