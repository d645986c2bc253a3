// What passes over unrolled sums of products share: finding such a sum, cutting its lanes, keeping its steps a loop.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ir/expr.h"
#include "ir/stmt.h"

namespace mlc::lower {

inline constexpr int kWidth = 8;                // i32 lanes of a 256-bit register
inline constexpr int64_t kSumsInRegisters = 8;  // of sixteen: as many hold weights, inputs and products

// for … unrolled: for … unrolled: store, with constant extents.
struct Nest {
  std::vector<ir::For> loops;
  ir::Store store;
};
std::optional<Nest> unrolled_nest(const ir::Stmt& s);

// The call of `intrinsic`, if n's outermost loop adds such dot products up in what n stores: d[…] = @dot(d[…], a, b),
// where d's indices do not depend on that loop.
const ir::Call* dot_of(const Nest& n, const char* intrinsic);

// How many parts of kWidth lanes n's store has, and how many of them are summed at once so that sums stay in registers.
struct Parts {
  int all, at_once;
};
Parts parts_of(const Nest& n);

// Loops first … around `body`.
ir::Stmt wrap(const std::vector<ir::For>& loops, size_t first, ir::Stmt body);

// for s in 8 unrolled -> for p in 4 (kept) { for q in 2 unrolled: s = p * 2 + q }, with at_once = 2
ir::Stmt kept_steps(const ir::For& steps, int64_t at_once, ir::Stmt body);

// Lanes begin … begin+kWidth-1 of e, computed narrow where that is possible: no wide vector is cut in the inner loop.
ir::Expr narrow(const ir::Expr& e, int begin);
// The same of indices: those of one lane are the same for all.
std::vector<ir::Expr> narrow_indices(const std::vector<ir::Expr>& indices, int begin);

}  // namespace mlc::lower
