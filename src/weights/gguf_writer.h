// Writes GGUF files (version 3), the format of llama.cpp: metadata, then tensors whose rows are encoded as they are
// written, so that no tensor is ever in memory as floats.
//
//   GgufWriter w;
//   w.meta("general.architecture", std::string("llama"));
//   w.tensor({"output_norm.weight", {2048}, GgufType::kF32, rows});   // rows(first, count, floats) fills f32 rows
//   MLC_TRY(uint64_t bytes, w.write("model.gguf"));                   // whole or not at all
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"

namespace mlc::weights {

// The numbers are the format's.
enum class GgufType : uint32_t { kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ8_0 = 8 };

// Q4_0 and Q8_0 are blocks of 32 elements of a row: a scale d (f16), then codes. Q8_0: d = max|w| / 127, signed bytes
// round(w / d). Q4_0: d = m / -8 with m the element of the largest magnitude, codes min(15, floor(w / d + 8.5)); byte i
// holds element i in its low half and element i + 16 in its high half; w' = (code - 8) * d.
inline constexpr int64_t kGgufBlock = 32;
int64_t gguf_row_bytes(GgufType type, int64_t columns);
// f32 [count, columns] to rows of the type. `columns` is a multiple of kGgufBlock for the block types.
void gguf_encode(GgufType type, const float* rows, int64_t count, int64_t columns, std::span<std::byte> out);

class GgufWriter {
 public:
  using Value = std::variant<uint32_t, float, bool, std::string, std::vector<std::string>, std::vector<int32_t>>;
  using Rows = std::function<Result<void>(int64_t first, int64_t count, float* rows)>;
  struct Tensor {
    std::string name;
    std::vector<int64_t> shape;  // [columns] or [rows, columns]
    GgufType type = GgufType::kF32;
    Rows rows;  // of one tensor after the other, in order
  };

  void meta(std::string key, Value value) { meta_.emplace_back(std::move(key), std::move(value)); }
  void tensor(Tensor t) { tensors_.push_back(std::move(t)); }

  int64_t num_tensors() const { return static_cast<int64_t>(tensors_.size()); }
  // The file's bytes. `progress`: the part that is done.
  Result<uint64_t> write(const std::string& path, const std::function<void(double)>& progress = {}) const;

 private:
  std::string header() const;
  std::vector<std::pair<std::string, Value>> meta_;
  std::vector<Tensor> tensors_;
};

}  // namespace mlc::weights
