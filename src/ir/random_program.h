// Random programs for tests: well-typed, free of errors by construction, with inputs. For differential tests
// (interpreter against a backend, before against after a pass) and for the round trip of the text form.
//
//   RandomProgram p = random_program(seed);
//   auto data = p.buffers;                                  // run f on a copy of the inputs …
//   interpret(p.func, raw_buffers(data), p.sizes);          // … and compare all buffers, floats by value, NaN equal to
//   NaN
//
// A program's result does not depend on what the IR leaves open: local buffers are written before they are read, no two
// lanes of a store meet, parallel iterations touch their own rows, NaN bits and the sign of a zero are not looked at.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/func.h"
#include "ir/interp.h"

namespace mlc::ir {

struct RandomOptions {
  bool lowered = true;     // satisfies Level::kLowered; else blocks, vectorized and unrolled loops too
  bool inexact = false;    // exp, log, tanh … too: results then differ by the error that backends may have
  bool rare_casts = true;  // between 16-bit floats and wide types, where rounding twice would show
  int max_depth = 4;       // of expressions
};

struct RandomProgram {
  PrimFunc func;
  std::vector<int64_t> sizes;
  std::vector<std::vector<uint8_t>> buffers;  // initial contents, one per parameter
};
RandomProgram random_program(uint64_t seed, const RandomOptions& options = {});
std::vector<RawBuffer> raw_buffers(std::vector<std::vector<uint8_t>>& data);

// Equal contents of two buffers of one dtype: bit for bit, except that any NaN equals any NaN and zeros have no sign.
// Floats may differ by max_ulp units in the last place. Gives the index of the first difference, or -1.
int64_t first_difference(DType dtype, const std::vector<uint8_t>& a, const std::vector<uint8_t>& b, double max_ulp = 0);

}  // namespace mlc::ir
