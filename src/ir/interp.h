// The interpreter: the definition of what the IR means. Slow, checked (bounds, uninitialized thread races excluded),
// and used as the reference for every backend.
//
//   std::vector<float> a(4), c(4);
//   auto r = interpret(f, {{a.data(), 16}, {c.data(), 16}}, {4});
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "ir/func.h"

namespace mlc::ir {

struct RawBuffer {
  void* data = nullptr;
  int64_t bytes = 0;
};

// Runs f on buffers (in parameter order, row-major, little endian) and sizes. An out-of-bounds access, a failed Assume,
// a division by zero or an undefined intrinsic is an error that names the statement.
Result<void> interpret(const PrimFunc& f, const std::vector<RawBuffer>& buffers, const std::vector<int64_t>& sizes);

// The value of an expression without variables and loads, as a constant (a Broadcast of one for vectors); null if it is
// an error, such as a division by zero, or a vector whose lanes differ.
Expr evaluate_constant(const Expr& e);

}  // namespace mlc::ir
