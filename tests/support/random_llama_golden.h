// Reads tests/goldens/random_llama/*.json: random models, a prompt, and rows of the logits that Hugging Face
// transformers computes for it (make_random_llama_goldens.py beside them says how).
//
//   for (const std::string& path : random_llama_golden_paths()) {
//     MLC_TRY(RandomLlamaGolden g, read_random_llama_golden(path));
//     auto source = model::synthetic_checkpoint(g.config, g.seed);       // a Hugging Face checkpoint in f32
//     ... convert, compile, run g.prompt ...
//     relative_error(logits_at(g.positions[i]), g.logits.at("q4f16_1")[i]) < 5e-3
//   }
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "../tests/support/source_dir.h"
#include "base/json.h"
#include "model/config.h"

namespace mlc::testing {

struct RandomLlamaGolden {
  std::string name;
  Json config_json;  // a config.json body
  model::ModelConfig config;
  uint64_t seed = 0;
  std::vector<int32_t> prompt;     // 300 tokens
  std::vector<int64_t> positions;  // attention is causal: row p is also the last one of the first p + 1 tokens
  // "float" and "q4f16_1" -> per position, [vocab_size]
  std::map<std::string, std::vector<std::vector<float>>> logits;
  std::string sha256_float32, sha256_q4f16_1;  // of the weights, see the script
};

inline std::vector<float> floats_of_base64(const std::string& text) {
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    static const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t value = digits.find(c);
    if (value == std::string::npos) break;  // '='
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) bytes += static_cast<char>(bits >> (count -= 8));
  }
  std::vector<float> floats(bytes.size() / sizeof(float));
  std::memcpy(floats.data(), bytes.data(), floats.size() * sizeof(float));
  return floats;
}

inline std::vector<std::string> random_llama_golden_paths() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(source_file("tests/goldens/random_llama"))) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

inline Result<RandomLlamaGolden> read_random_llama_golden(const std::string& path) {
  MLC_TRY(Json body, read_json_file(path));
  RandomLlamaGolden g;
  g.name = std::filesystem::path(path).stem().string();
  g.config_json = body.at("config");
  MLC_TRY(g.config, model::parse_model_config(g.config_json, path));
  body.at("seed").get_to(g.seed);
  body.at("prompt").get_to(g.prompt);
  body.at("positions").get_to(g.positions);
  body.at("sha256_float32").get_to(g.sha256_float32);
  body.at("sha256_q4f16_1").get_to(g.sha256_q4f16_1);
  for (const auto& [kind, rows] : body.at("logits").items()) {
    for (const Json& row : rows) g.logits[kind].push_back(floats_of_base64(row.get<std::string>()));
  }
  return g;
}

// ‖a − b‖₂ / ‖b‖₂, infinite if the sizes differ or a value is not finite.
inline double relative_error(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return INFINITY;
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i])) return INFINITY;
    difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    norm += static_cast<double>(b[i]) * b[i];
  }
  return std::sqrt(difference / norm);
}

}  // namespace mlc::testing
