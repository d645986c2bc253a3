#include "base/hash.h"

#include <openssl/evp.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "base/mmap.h"

namespace mlc {

struct Hasher::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Impl() { EVP_MD_CTX_free(context); }
};

Hasher::Hasher(HashKind kind) : impl_(std::make_unique<Impl>()) {
  const EVP_MD* algorithm = kind == HashKind::kSha256 ? EVP_sha256() : kind == HashKind::kSha1 ? EVP_sha1() : EVP_md5();
  MLC_CHECK(impl_->context != nullptr && EVP_DigestInit_ex(impl_->context, algorithm, nullptr) == 1,
            "OpenSSL cannot start a hash");
}

Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::span<const std::byte> bytes) {
  MLC_CHECK(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()) == 1, "hash update failed");
}

void Hasher::update(std::string_view text) { update(std::as_bytes(std::span(text))); }

std::string Hasher::finish_hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  MLC_CHECK(EVP_DigestFinal_ex(impl_->context, digest, &length) == 1, "hash finish failed");
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4];
    hex += "0123456789abcdef"[digest[i] & 15];
  }
  return hex;
}

namespace {

std::string hash_hex(HashKind kind, std::span<const std::byte> bytes) {
  Hasher h(kind);
  h.update(bytes);
  return h.finish_hex();
}

}  // namespace

std::string sha256_hex(std::string_view text) { return sha256_hex(std::as_bytes(std::span(text))); }
std::string sha256_hex(std::span<const std::byte> bytes) { return hash_hex(HashKind::kSha256, bytes); }
std::string md5_hex(std::string_view text) { return md5_hex(std::as_bytes(std::span(text))); }
std::string md5_hex(std::span<const std::byte> bytes) { return hash_hex(HashKind::kMd5, bytes); }

Result<std::string> hash_file_hex(HashKind kind, const std::string& path) {
  MLC_TRY(std::shared_ptr<MappedFile> file, MappedFile::open(path));
  file->advise(Advice::kSequential, 0, file->size());
  return hash_hex(kind, file->bytes());
}

Result<std::string> directory_content_key(const std::string& dir) {
  namespace fs = std::filesystem;
  if (!is_directory(dir)) return error(ErrorCode::kNotFound, "{}: no such directory", dir);
  std::vector<std::string> names;
  std::error_code ec;
  auto it = fs::recursive_directory_iterator(dir, fs::directory_options::follow_directory_symlink, ec);
  for (; !ec && it != fs::recursive_directory_iterator(); it.increment(ec)) {
    if (it->path().filename().string().starts_with(".")) {
      if (it->is_directory(ec)) it.disable_recursion_pending();
      continue;
    }
    if (it->is_regular_file(ec)) names.push_back(fs::path(it->path()).lexically_relative(dir).string());
  }
  if (ec) return error(ErrorCode::kIo, "{}: cannot list the directory: {}", dir, ec.message());
  std::sort(names.begin(), names.end());
  Hasher all(HashKind::kSha256);
  for (const std::string& name : names) {
    MLC_TRY(std::string hex, hash_file_hex(HashKind::kSha256, join_path(dir, name)));
    all.update(name);
    all.update(std::string_view("\0", 1));
    all.update(hex);
  }
  return all.finish_hex();
}

}  // namespace mlc
