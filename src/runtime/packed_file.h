// The packed-weights cache file: parameters as the kernels read them, mapped read-only.
//
// Layout, little endian: a header, then the parameters at 64-byte alignment.
//   "MLCPACK\n"  u32 version  u32 header_bytes  u64 file_bytes  u64 num_params  u64 num_chunks
//   64 bytes     key (sha-256 hex of layout id, source key and parameter list)
//   num_params x { u64 offset, u64 bytes }
//   num_chunks x u64 checksum of each kChunkBytes of the data after the header
//   32 bytes     sha-256 of everything before
// A file that differs in any of it (other key, version, length, header or data) is not used.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mmap.h"
#include "base/result.h"
#include "base/thread_pool.h"

namespace mlc::runtime {

inline constexpr uint32_t kPackedVersion = 1;
inline constexpr int64_t kChunkBytes = int64_t{4} << 20;

struct PackedLayout {
  struct Entry {
    int64_t offset = 0;  // from the start of the file
    int64_t bytes = 0;
  };
  std::vector<Entry> entries;
  int64_t header_bytes = 0;
  int64_t file_bytes = 0;
  int64_t num_chunks() const { return (file_bytes - header_bytes + kChunkBytes - 1) / kChunkBytes; }
};

PackedLayout plan_packed_file(std::span<const int64_t> param_bytes);

// A fast 64-bit checksum against damage, not against malice.
uint64_t checksum64(std::span<const std::byte> bytes);

// Checks and maps the file; every byte is read (by all workers), which also brings it into memory.
Result<std::shared_ptr<MappedFile>> open_packed_file(const std::string& path, const std::string& key,
                                                     const PackedLayout& layout, ThreadPool& pool);

// A writable file that appears under its name, with header and checksums, at finish(). Its space is reserved when it is
// made, so that a full disk is an error there and not a fault later.
class PackedWriter {
 public:
  static Result<std::unique_ptr<PackedWriter>> create(const std::string& path, const PackedLayout& layout);
  std::byte* data() { return file_->data(); }  // of the whole file
  Result<void> finish(const std::string& key, ThreadPool& pool);

 private:
  PackedWriter(std::unique_ptr<MappedOutput> file, PackedLayout layout)
      : file_(std::move(file)), layout_(std::move(layout)) {}
  std::unique_ptr<MappedOutput> file_;
  PackedLayout layout_;
};

}  // namespace mlc::runtime
