// Hashes as lower-case hexadecimal text, through OpenSSL.
//
//   sha256_hex("abc") == "ba7816bf...";   MLC_TRY(std::string key, directory_content_key("/models/x"));
//   Hasher h(HashKind::kMd5);  h.update(bytes);  std::string hex = h.finish_hex();
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mlc {

enum class HashKind { kSha256, kSha1, kMd5 };

class Hasher {
 public:
  explicit Hasher(HashKind kind);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  std::string finish_hex();  // call once

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string sha256_hex(std::string_view text);
std::string sha256_hex(std::span<const std::byte> bytes);
std::string md5_hex(std::string_view text);
std::string md5_hex(std::span<const std::byte> bytes);
Result<std::string> hash_file_hex(HashKind kind, const std::string& path);

// One key for what a directory holds: sha256 over the sorted relative names, sizes and contents of its regular files.
// Hidden files and subdirectories (".git", ".cache") are left out. Symbolic links count as what they point to.
// Costs one pass over all bytes.
Result<std::string> directory_content_key(const std::string& dir);

}  // namespace mlc
