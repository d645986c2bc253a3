// A model as a GGUF file for llama.cpp: the Llama and Qwen2 architectures, with weights in F32, F16, Q8_0 or Q4_0.
//
//   MLC_TRY(ExportReport r, export_gguf(*source, *scheme, config, {.type = weights::GgufType::kQ4_0}, "m.gguf"));
//
// All matrices get the type, the embedding and the output projection included; norms and biases are F32. A matrix whose
// rows are no multiple of 32 long is F16. The rows of q and k are reordered where llama.cpp rotates neighbours instead
// of halves.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "model/config.h"
#include "quant/scheme.h"
#include "weights/gguf_writer.h"
#include "weights/tensor_source.h"

namespace mlc::model {

struct ExportOptions {
  weights::GgufType type = weights::GgufType::kF16;
  std::string name;  // general.name
  // A tokenizer.json. Byte-level BPE goes into the file; anything else, or none, gives a vocabulary of placeholders,
  // good for benchmarks by token numbers only.
  std::string tokenizer_file;
  std::function<void(double)> progress = {};  // the part that is done
};
struct ExportReport {
  uint64_t bytes = 0;
  int64_t tensors = 0;
  bool has_tokenizer = false;
};

// `source`: the tensors of a model directory of that scheme (params.h, stored_tensors).
Result<ExportReport> export_gguf(const weights::TensorSource& source, const quant::Scheme& scheme,
                                 const ModelConfig& config, const ExportOptions& options, const std::string& path);

// Metadata for the tokenizer; false: placeholders. In export_tokenizer.cc.
Result<bool> add_gguf_tokenizer(weights::GgufWriter& writer, const ModelConfig& config, const std::string& file);

}  // namespace mlc::model
