// Shared by the tests of codegen/llvm: a function through the interpreter and through LLVM, compared.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "codegen/llvm/host.h"
#include "codegen/llvm/jit.h"
#include "ir/interp.h"
#include "ir/text.h"

namespace mlc::codegen::testing {

// Bytes of a buffer, 64-byte aligned, with room behind it that must not change.
class Bytes {
 public:
  explicit Bytes(size_t size) : size_(size), storage_(size + 192, 0xA5) {}
  uint8_t* data() {
    const auto address = reinterpret_cast<uintptr_t>(storage_.data());
    return storage_.data() + (64 - address % 64) % 64;
  }
  size_t size() const { return size_; }
  bool tail_intact() {
    for (size_t i = 0; i < 64; ++i) {
      if (data()[size_ + i] != 0xA5) return false;
    }
    return true;
  }
  template <typename T>
  T* as() {
    return reinterpret_cast<T*>(data());
  }
  void copy_from(Bytes& other) { std::memcpy(data(), other.data(), size_); }

 private:
  size_t size_;
  std::vector<uint8_t> storage_;
};

inline ir::Module module_of(const ir::PrimFunc& f) {
  ir::Module m;
  m.functions.push_back(f);
  return m;
}

inline const target::Target& host() {
  static const target::Target* t = new target::Target(native_target().value());
  return *t;
}

// Runs every worker in turn.
inline void run_kernel(artifact::KernelFn kernel, std::vector<Bytes>& buffers, const std::vector<int64_t>& sizes,
                       int num_workers = 1) {
  std::vector<void*> pointers;
  for (auto& b : buffers) pointers.push_back(b.data());
  for (int w = 0; w < num_workers; ++w) kernel(pointers.data(), sizes.data(), w, num_workers);
}

inline Result<void> run_interpreter(const ir::PrimFunc& f, std::vector<Bytes>& buffers,
                                    const std::vector<int64_t>& sizes) {
  std::vector<ir::RawBuffer> raw;
  for (auto& b : buffers) raw.push_back({b.data(), static_cast<int64_t>(b.size())});
  return ir::interpret(f, raw, sizes);
}

}  // namespace mlc::codegen::testing
