// Handles that a schedule gives out, and the other value types that instructions carry.
//
//   BlockRef b = *s.block("C");   LoopRef i = s.loops(b)->at(0);   // printed as b0, l0
//   ValueRef v = *s.sample_categorical("lanes", {8, 16}, {0.5, 0.5}, 16);   // printed as v0
//
// A handle is a number. It stays valid while other parts of the function change; using it after its loop or block was
// replaced is an error that says so.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "ir/func.h"

namespace mlc::schedule {

struct BlockRef {
  int id = -1;
  bool operator==(const BlockRef&) const = default;
};
struct LoopRef {
  int id = -1;
  bool operator==(const LoopRef&) const = default;
};
// A number that a sampling instruction chose.
struct ValueRef {
  int id = -1;
  bool operator==(const ValueRef&) const = default;
};
using Ref = std::variant<BlockRef, LoopRef, ValueRef>;

// A number in an instruction: written out, or one that was sampled before.
using Number = std::variant<int64_t, ValueRef>;

// A map of indices, as a function: inputs are fresh i64 variables, outputs are made of them, constants and + - * // %.
// It prints as "(i, j) -> (i // 16, j, i % 16)".
struct IndexMap {
  std::vector<ir::Var> inputs;
  std::vector<ir::Expr> outputs;

  static IndexMap from(int rank, const std::function<std::vector<ir::Expr>(const std::vector<ir::Var>&)>& f);
  std::vector<ir::Expr> apply(const std::vector<ir::Expr>& indices) const;
};

std::string print(const IndexMap& map);

}  // namespace mlc::schedule
