// Weight conversion: a Hugging Face checkpoint in, an MLC model directory's weights out, one tensor at a time.
//
//   MLC_TRY(auto source, weights::open_weights(dir));
//   MLC_TRY(ModelConfig config, load_model_config(dir));
//   MLC_TRY(const quant::Scheme* scheme, quant::scheme_by_name("q4f16_1"));
//   MLC_TRY(ConvertReport report, convert(*source, config, *scheme, "out", {.progress = show}));
//
// Every tensor's presence and shape is checked before anything is written. The output appears as a whole or not at all
// (weights/mlc_shards.h). Memory: the largest quantized tensor and one shard; sources are mapped and read once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/params.h"
#include "quant/scheme.h"
#include "weights/tensor_source.h"

namespace mlc::model {

struct ConvertProgress {
  int64_t done = 0;  // weights (elements)
  int64_t total = 0;
  std::string name;  // the parameter that has just been written
};

struct ConvertOptions {
  std::function<void(const ConvertProgress&)> progress;  // called from the converting thread
  int num_threads = 0;                                   // 0: all that the process may use
};

struct ConvertReport {
  int64_t num_parameters = 0;
  uint64_t bytes = 0;
  double bits_per_parameter = 0;
  std::vector<std::string> warnings;  // one line each, for example tensors that nothing uses
};

Result<ConvertReport> convert(const weights::TensorSource& source, const ModelConfig& config,
                              const quant::Scheme& scheme, const std::string& out_dir,
                              const ConvertOptions& options = {});

// One parameter in memory, as convert() writes it: parts of a matrix (scheme.parts), or the vector alone.
struct EncodedParam {
  std::vector<weights::TensorInfo> infos;
  std::vector<std::vector<std::byte>> data;
};
Result<EncodedParam> encode_param(const weights::TensorSource& source, const ParamRule& rule,
                                  const quant::Scheme& scheme, int num_threads);

// The names of the checks above, for callers that want them without converting: all tensors are there and fit.
Result<void> check_checkpoint(const weights::TensorSource& source, const ModelConfig& config);

}  // namespace mlc::model
