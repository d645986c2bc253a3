// MLC LLM's own weight files: tensor-cache.json (older: ndarray-cache.json) and params_shard_<i>.bin.
//
// The index lists files and, in each, records {name, shape, dtype, format, nbytes, byteOffset}; bytes are row-major,
// little endian, unaligned. A float32 record of the format "f32-to-bf16" holds bf16 values: it is shown as f32 and
// decoded when read. All other records are shown and mapped as they are.
//
//   MLC_TRY(auto source, open_mlc_shards("/models/Llama-3-8B-q4f16_1-MLC", {.verify_md5 = true}));
//
//   MLC_TRY(MlcWriter writer, MlcWriter::create("out"));
//   MLC_TRY_VOID(writer.add({"model.norm.weight", DType::f16(), {2048}}, bytes));
//   MLC_TRY_VOID(writer.finish(num_parameters));                  // everything appears in out/ here, or nothing
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "weights/tensor_source.h"

namespace mlc::weights {

struct MlcReadOptions {
  bool verify_md5 = false;  // reads every byte once
};

// The index's path, or empty if the directory has none.
std::string find_mlc_index(const std::string& dir);
Result<std::unique_ptr<TensorSource>> open_mlc_shards(const std::string& dir, MlcReadOptions options = {});

// Writes the files with MLC LLM's rules: shards of at most 32 MiB, except that a tensor of 16 MiB or more that does not
// fit has a file of its own. float32 is written as "raw", so that nothing is lost; MLC's loader reads that too.
// Memory: one pending shard. Files are made in a temporary directory inside `dir` and renamed at finish(); before that,
// and after any failure, `dir` is as it was.
class MlcWriter {
 public:
  static constexpr uint64_t kShardCap = 32u << 20;

  static Result<MlcWriter> create(const std::string& dir, uint64_t shard_cap = kShardCap);
  MlcWriter(MlcWriter&&) noexcept;
  MlcWriter& operator=(MlcWriter&&) = delete;
  MlcWriter(const MlcWriter&) = delete;
  ~MlcWriter();

  Result<void> add(const TensorInfo& info, std::span<const std::byte> bytes);
  // num_parameters: of the model before quantization; it makes "BitsPerParam". Replaces the weights of an earlier
  // conversion in the same directory.
  Result<void> finish(int64_t num_parameters);

  uint64_t bytes_written() const { return total_bytes_; }

 private:
  struct Record {
    TensorInfo info;
    uint64_t offset = 0;
  };
  struct Shard {
    std::string file;
    uint64_t bytes = 0;
    std::string md5;
    std::vector<Record> records;
  };
  MlcWriter(std::string dir, bool made_dir, TempDir tmp, uint64_t cap);
  Result<void> write_shard(std::span<const std::byte> bytes, std::vector<Record> records);
  Result<void> flush();
  std::string index_json(int64_t num_parameters) const;

  std::string dir_;
  bool made_dir_ = false;
  bool finished_ = false;
  std::unique_ptr<TempDir> tmp_;
  uint64_t cap_ = kShardCap;
  uint64_t total_bytes_ = 0;
  std::set<std::string> names_;
  std::vector<Shard> shards_;
  std::vector<std::byte> pending_;
  std::vector<Record> pending_records_;
};

}  // namespace mlc::weights
