// Owners for what the Rust crate hands out; used by the .cc files of this folder only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mlc_text_rs.h"

namespace mlc::text {

class RustBytes {
 public:
  RustBytes() = default;
  RustBytes(const RustBytes&) = delete;
  RustBytes& operator=(const RustBytes&) = delete;
  ~RustBytes() { mlc_rs_bytes_free(raw_); }
  MlcRsBytes* out() { return &raw_; }
  std::string_view view() const { return {reinterpret_cast<const char*>(raw_.data), raw_.size}; }
  std::string str() const { return std::string(view()); }

 private:
  MlcRsBytes raw_{nullptr, 0};
};

class RustIds {
 public:
  RustIds() = default;
  RustIds(const RustIds&) = delete;
  RustIds& operator=(const RustIds&) = delete;
  ~RustIds() { mlc_rs_ids_free(raw_); }
  MlcRsIds* out() { return &raw_; }
  const uint32_t* data() const { return raw_.data; }
  size_t size() const { return raw_.size; }

 private:
  MlcRsIds raw_{nullptr, 0};
};

inline const uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }

}  // namespace mlc::text
