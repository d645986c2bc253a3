// One C-like GPU language as data: how it spells what lowered IR can say. The printer (c_printer.h) knows no language;
// a new one is a file in dialects/ and a line in dialects/list.h.
//
// Spellings are fmt templates with named arguments, listed at each field. What a language cannot say at all is not
// here: passes of lower/ rewrite it before, asking target::Target.
#pragma once

#include <string>
#include <vector>

#include "base/dtype.h"
#include "target/target.h"

namespace mlc::codegen {

struct CDialect {
  const char* name;
  target::Kind kind;

  // ---- Types
  struct TypeName {
    DType dtype;                 // scalar
    const char* value;           // of a variable
    const char* memory;          // of an element of a buffer
    const char* unsigned_value;  // for arithmetic that wraps; nullptr: floats and bool
    const char* suffix;          // of a literal
  };
  std::vector<TypeName> types;
  const char* vector_type;  // {type} {lanes}

  // ---- Kernels
  const char* prelude;              // before all kernels: pragmas, helper functions
  const char* double_prelude;       // after it, in a program that uses f64
  const char* kernel;               // {name} {params} {x} {y} {z}: the line before the body, with its opening brace
  const char* buffer_param;         // {type} {name} {const} {restrict}
  const char* size_param;           // {type} {name}
  const char* const_word;           // {const} of a buffer that is only read
  const char* restrict_word;        // {restrict} of a buffer that overlaps with no other
  const char* shared_array;         // {type} {name} {count}
  const char* local_array;          // {type} {name} {count}
  const char* pointer_to_scope[3];  // by ir::Scope, {type}: a pointer type
  const char* block_index[3];       // blockIdx.x, .y, .z
  const char* thread_index[3];      // threadIdx.x, .y, .z
  const char* barrier_shared;       // orders shared memory
  const char* barrier_global;       // orders shared and global memory

  // ---- Expressions
  struct Function {
    const char* name;    // an ir math intrinsic, or "min" and "max"
    const char* floats;  // {0} {1} {2} {type}; nullptr: none
    const char* integers;
  };
  std::vector<Function> functions;
  const char* int_to_float;   // {type} {from} {0}: rounds to nearest even
  const char* float_to_int;   // {type} {from} {0}: truncates, saturates, NaN gives 0
  const char* bits;           // {type} {0}: the same bytes as another type of the same size
  const char* half_to_float;  // {0}: the bits of an f16 -> f32
  const char* float_to_half;  // {0}: rounds to nearest even
  const char* floor_div;      // {type} {0} {1}: signed
  const char* floor_mod;      // {type} {0} {1}: signed
  const char* vector_load;    // {lanes} {pointer}
  const char* vector_store;   // {lanes} {pointer} {value}
  const char* splat;          // {type} {0}
  const char* lane;           // {0} {lane} (hexadecimal digit)
  const char* infinity;
  const char* nan;

  std::vector<std::string> reserved;  // names that a variable may not have
};

// The dialect for a kind of target; null when there is none.
const CDialect* find_dialect(target::Kind kind);

}  // namespace mlc::codegen
