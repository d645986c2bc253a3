// The keys that clients must show. Kept as SHA-256 digests and compared in constant time.
//
//   MLC_TRY(auto keys, ApiKeys::load({"secret"}, "keys.txt"));
//   keys->allow("Bearer secret", "");   keys->reload();   // the file again, on SIGHUP
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"

namespace mlc::serve {

class ApiKeys {
 public:
  // `file`: one key per line; empty lines and lines that begin with # are skipped. Empty: no file. No keys at all: all
  // clients are let in. Errors: kNotFound, kInvalidArgument for a file without a key.
  static Result<std::shared_ptr<ApiKeys>> load(const std::vector<std::string>& keys, const std::string& file);

  bool needed() const;
  // `authorization`: that header's value; `x_api_key`: the one that Anthropic's clients send. Either is enough.
  bool allow(const std::string& authorization, const std::string& x_api_key) const;
  // Reads the file again. When it cannot be read, the keys stay as they were.
  Result<void> reload();

 private:
  ApiKeys() = default;
  bool known(std::string_view key) const;

  std::vector<std::string> given_;  // digests
  std::string file_;
  mutable std::mutex mutex_;
  std::vector<std::string> from_file_;  // digests
};

}  // namespace mlc::serve
