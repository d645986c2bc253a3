// Simplification: the same value in a shorter, canonical form.
//
//   simplify((i * 16 + j) / 16) with 0 <= j < 16    ->  i          (floordiv)
//   simplify((i * 16 + j) % 16)                     ->  j
//   simplify(select(i < n, a, b)) with 0 <= i < n   ->  a
//
// It is idempotent. Integers: sums are collected as coefficient * atom + constant, floordiv and floormod by constants
// are split, min, max, select and comparisons fold when bounds decide them. i64 index arithmetic is taken not to
// overflow (arith/bounds.h); other integers wrap exactly. Floats: only constants, x * 1, and the like that are exact
// for every input are folded; no reassociation. Calls and loads are kept; an expression that could fail (division by a
// non-constant) may disappear when its value is not needed.
#pragma once

#include "arith/bounds.h"
#include "ir/visit.h"

namespace mlc::arith {

ir::Expr simplify(const ir::Expr& e, const Bounds& bounds = {});

// Simplifies every expression with the bounds of the loops around it, and drops what does nothing: dead branches, loops
// that do not run (a loop that runs once becomes its body, unless it is bound to a thread or carries annotations), true
// assumptions and predicates, unused pure lets. May return null: nothing is left.
ir::Stmt simplify(const ir::Stmt& s, const Bounds& bounds = {});
ir::PrimFunc simplify(const ir::PrimFunc& f);  // sizes are at least 0; an empty body becomes an empty Seq

// True only when cond (a scalar bool) holds for all values within the bounds.
bool prove(const ir::Expr& cond, const Bounds& bounds = {});
// True only when a and b always have the same value.
bool prove_equal(const ir::Expr& a, const ir::Expr& b, const Bounds& bounds = {});

}  // namespace mlc::arith
