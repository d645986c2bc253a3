// Functions and modules of the IR.
//
// A PrimFunc is a kernel-to-be: buffers, i64 sizes, a body. Buffers come first, sizes last; the compiled kernel
// (artifact/abi.h) takes them in this order. Attributes in use: "stage" (graph | scheduled | lowered).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/stmt.h"

namespace mlc::ir {

struct PrimFunc {
  std::string name;
  std::vector<Buffer> buffers;  // parameters
  std::vector<Var> sizes;       // parameters: the i64 variables that shapes and extents use
  Stmt body;
  Annotations attrs;
};

struct Module {
  std::vector<PrimFunc> functions;  // in a stable order, names unique
  const PrimFunc* find(const std::string& name) const;
};

}  // namespace mlc::ir
