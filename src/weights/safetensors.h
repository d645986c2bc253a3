// The safetensors format: an 8-byte little-endian header length, a JSON header {name: {dtype, shape, data_offsets}},
// then the bytes (https://github.com/huggingface/safetensors#format).
//
//   MLC_TRY(auto source, open_safetensors("model.safetensors"));
//   MLC_TRY(auto sharded, open_safetensors_dir("/models/llama"));     // model.safetensors.index.json or the one file
//
// A file is checked as a whole when it is opened: the header's size and JSON, known dtypes, every offset in range and
// equal to the tensor's size, no overlap and no gap, the file neither truncated nor longer. A `__metadata__` entry
// whose key is no tensor and whose value is one makes an alias (tied embeddings are saved so).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "weights/tensor_source.h"

namespace mlc::weights {

Result<std::unique_ptr<TensorSource>> open_safetensors(const std::string& path);

// model.safetensors.index.json with its shards, else model.safetensors, else the only *.safetensors file.
Result<std::unique_ptr<TensorSource>> open_safetensors_dir(const std::string& dir);

// Writes one file, tensor after tensor in the order of `infos`; the file appears, whole, at finish().
class SafetensorsWriter {
 public:
  static Result<SafetensorsWriter> create(const std::string& path, std::vector<TensorInfo> infos,
                                          const std::map<std::string, std::string>& metadata = {{"format", "pt"}});
  // The next tensor's bytes, all of them.
  Result<void> add(std::span<const std::byte> bytes);
  Result<void> finish();

 private:
  SafetensorsWriter(FileWriter file, std::string path, std::vector<TensorInfo> infos)
      : file_(std::move(file)), path_(std::move(path)), infos_(std::move(infos)) {}
  FileWriter file_;
  std::string path_;
  std::vector<TensorInfo> infos_;
  size_t next_ = 0;
};

// Everything of a source into one file.
Result<void> write_safetensors(const std::string& path, const TensorSource& source);

}  // namespace mlc::weights
