#include "serve/api_keys.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cctype>

#include "base/file.h"
#include "base/hash.h"

namespace mlc::serve {
namespace {

std::string trim(const std::string& line) {
  const size_t begin = line.find_first_not_of(" \t\r");
  return begin == std::string::npos ? "" : line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1);
}

Result<std::vector<std::string>> read_keys(const std::string& file) {
  MLC_TRY(const std::string text, read_file(file));
  std::vector<std::string> digests;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string key = trim(text.substr(at, end - at));
    if (!key.empty() && key.front() != '#') digests.push_back(sha256_hex(key));
    at = end + 1;
  }
  if (digests.empty()) return error("{} holds no key; expected one per line", file);
  return digests;
}

// Digests have one length, so nothing is learned from the time this takes.
bool equal(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

Result<std::shared_ptr<ApiKeys>> ApiKeys::load(const std::vector<std::string>& keys, const std::string& file) {
  std::shared_ptr<ApiKeys> out(new ApiKeys);
  for (const std::string& key : keys) {
    if (!key.empty()) out->given_.push_back(sha256_hex(key));
  }
  out->file_ = file;
  MLC_TRY_VOID(out->reload());
  return out;
}

Result<void> ApiKeys::reload() {
  if (file_.empty()) return {};
  MLC_TRY(auto digests, read_keys(file_));
  std::lock_guard lock(mutex_);
  from_file_ = std::move(digests);
  return {};
}

bool ApiKeys::needed() const { return !given_.empty() || !file_.empty(); }

bool ApiKeys::known(std::string_view key) const {
  const std::string digest = sha256_hex(key);
  std::lock_guard lock(mutex_);
  bool found = false;
  for (const auto* list : {&given_, &from_file_}) {
    for (const std::string& each : *list) found |= equal(digest, each);
  }
  return found;
}

bool ApiKeys::allow(const std::string& authorization, const std::string& x_api_key) const {
  constexpr size_t kScheme = 7;
  std::string scheme = authorization.substr(0, kScheme);
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), [](unsigned char c) { return std::tolower(c); });
  if (scheme == "bearer " && known(std::string_view(authorization).substr(kScheme))) return true;
  return !x_api_key.empty() && known(x_api_key);
}

}  // namespace mlc::serve
