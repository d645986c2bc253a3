// Where weights come from: named tensors of a file format, mapped rather than read.
//
//   MLC_TRY(std::unique_ptr<TensorSource> source, open_weights("/models/llama"));     // weights/open.h
//   const TensorInfo* info = source->find("model.norm.weight");                        // nullptr if it is not there
//   MLC_TRY(TensorData data, source->read("model.norm.weight"));
//   data.bytes.size() == info->bytes();                                                // row-major, little endian
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/result.h"

namespace mlc::weights {

struct TensorInfo {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;  // empty for a scalar

  int64_t num_elements() const;
  int64_t bytes() const { return num_elements() * dtype.bytes(); }
  std::string str() const;  // "f16[32, 64]"
  bool operator==(const TensorInfo&) const = default;
};

// A tensor's bytes, valid as long as `owner` is held (a mapped file, or memory for what had to be decoded). Bytes in a
// file need not be aligned to the element size: read them with memcpy or to_f32.
struct TensorData {
  TensorInfo info;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

class TensorSource {
 public:
  virtual ~TensorSource() = default;

  // In the order of the file; aliases are not listed.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  // The tensor of that name, or the one that the name is an alias of. nullptr: there is none.
  const TensorInfo* find(const std::string& name) const;
  // A tensor stored once under two names: alias -> stored name.
  const std::map<std::string, std::string>& aliases() const { return aliases_; }
  // Fails with kNotFound for an unknown name; info.name is the stored name.
  Result<TensorData> read(const std::string& name) const;
  // Tells that a tensor will not be read again soon, so that its pages may go.
  void release(const std::string& name) const;
  // For messages: the file or directory.
  const std::string& where() const { return where_; }

 protected:
  explicit TensorSource(std::string where) : where_(std::move(where)) {}
  // False if the name is taken.
  bool add(TensorInfo info);
  void add_alias(const std::string& alias, const std::string& stored) { aliases_[alias] = stored; }
  virtual Result<TensorData> read_at(size_t index) const = 0;
  virtual void release_at(size_t) const {}

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);
  size_t index_of(const std::string& name) const;

  std::string where_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, size_t> index_;
  std::map<std::string, std::string> aliases_;
};

// The product of the shape, or -1 if a dimension is negative or the product times 16 does not fit in 63 bits.
int64_t checked_elements(std::span<const int64_t> shape);

// `count` elements of a float dtype, starting at element `first`, as f32. out must hold count floats.
void to_f32(DType dtype, std::span<const std::byte> bytes, int64_t first, int64_t count, float* out);
// The inverse: rounds to nearest even and stores at element `first`.
void from_f32(DType dtype, const float* in, int64_t count, std::span<std::byte> bytes, int64_t first);
bool is_float_weight(DType dtype);  // f32, f16, bf16, f64: what to_f32 takes

// Tensors held in memory, for tests and small imports.
class MemorySource : public TensorSource {
 public:
  MemorySource() : TensorSource("memory") {}
  void put(TensorInfo info, std::vector<std::byte> bytes);
  void put_f32(const std::string& name, std::vector<int64_t> shape, std::span<const float> values);
  using TensorSource::add_alias;

 private:
  Result<TensorData> read_at(size_t index) const override;
  std::vector<std::shared_ptr<std::vector<std::byte>>> data_;
};

}  // namespace mlc::weights
