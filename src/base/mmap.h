// A file mapped into memory, read-only. Bytes come from the disk when they are first touched and are shared between
// processes; the mapping lives as long as someone holds it.
//
//   MLC_TRY(std::shared_ptr<MappedFile> file, MappedFile::open("model.safetensors"));
//   std::span<const std::byte> header = file->bytes().first(8);
//   file->advise(Advice::kWillNeed, 0, file->size());
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace mlc {

enum class Advice {
  kSequential,  // read ahead aggressively
  kWillNeed,    // start reading now
  kDontNeed,    // the pages may be dropped from this process; they come back from the file when touched
};

class MappedFile {
 public:
  // An empty file maps to an empty span. Directories and devices are refused.
  static Result<std::shared_ptr<MappedFile>> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  size_t size() const { return size_; }
  const std::string& path() const { return path_; }
  // A hint for the range; whole pages inside it for kDontNeed. Failures are ignored: it is only a hint.
  void advise(Advice advice, size_t offset, size_t length) const;
  // Pins the whole mapping in memory (mlock); fails with what to do about the limit.
  Result<void> lock_in_memory() const;

 private:
  MappedFile(std::string path, const std::byte* data, size_t size) : path_(std::move(path)), data_(data), size_(size) {}
  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// A new file of a known size, written through a mapping, that appears under its name when it is finished. Its space is
// reserved when it is made, so that a full disk is an error there and not a fault later.
//
//   MLC_TRY(auto out, MappedOutput::create("weights.bin", bytes));
//   fill(out->data());
//   MLC_TRY_VOID(out->finish());   // without it nothing is left
class MappedOutput {
 public:
  static Result<std::unique_ptr<MappedOutput>> create(const std::string& path, size_t size);
  ~MappedOutput();
  MappedOutput(const MappedOutput&) = delete;
  MappedOutput& operator=(const MappedOutput&) = delete;

  std::byte* data() { return data_; }
  size_t size() const { return size_; }
  // No fsync: whoever reads it later must be able to tell that it is whole.
  Result<void> finish();

 private:
  MappedOutput(std::string path, size_t size) : path_(std::move(path)), size_(size) {}
  // Gives the file its size and maps it; the opposite, which also closes it.
  Result<void> map();
  void unmap();
  std::string path_, temp_path_;
  size_t size_ = 0;
  int fd_ = -1;
  std::byte* data_ = nullptr;
};

}  // namespace mlc
