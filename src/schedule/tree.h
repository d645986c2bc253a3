// Finding and replacing statements in a function body.
//
//   auto path = path_to_loop(body, i);                     // root first, the loop last
//   Stmt body2 = replace(body, path->back(), new_loop);    // null removes, and with it what becomes empty
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "arith/bounds.h"
#include "ir/visit.h"

namespace mlc::schedule {

using Path = std::vector<ir::Stmt>;

std::optional<Path> path_to(const ir::Stmt& root, const std::function<bool(const ir::Stmt&)>& wanted);
std::optional<Path> path_to_loop(const ir::Stmt& root, const ir::Var& loop);
std::optional<Path> path_to_block(const ir::Stmt& root, const std::string& name);
// The statement is found by identity; schedules keep every node of a body distinct.
ir::Stmt replace(const ir::Stmt& root, const ir::Stmt& old, const ir::Stmt& by);

// The direct children that hold statements, in order of execution (a block's init is not one).
std::vector<ir::Stmt> children(const ir::Stmt& s);

// The nearest block that encloses the last node of the path (not itself), or null: the function.
const ir::Block* scope_of(const Path& path);
// The loops of a path within its scope, outermost first; the last node itself is not included.
std::vector<const ir::For*> loops_above(const Path& path);
// The loops of `path` strictly inside `loop`, down to its last node (excluded); all loops when `loop` is null.
std::vector<const ir::For*> loops_inside(const Path& path, const ir::For* loop);

// The blocks in a statement, outermost ones only, in textual order, with paths that begin at `root`.
std::vector<Path> blocks_in(const ir::Stmt& root);
inline const ir::Block& block_of(const Path& path) { return *ir::as<ir::Block>(path.back()); }
bool contains(const ir::Stmt& root, const ir::Stmt& node);
// The first store or other effect outside every block, or null.
ir::Stmt loose_statement(const ir::Stmt& root);

// Bounds of the sizes, and of all loops and block variables along a path.
arith::Bounds bounds_along(const ir::PrimFunc& f, const Path& path);

// A name that neither a block nor a buffer of the function has: base, base_1, base_2 …
std::string unique_name(const ir::PrimFunc& f, const std::string& base);

// Buffers declared in the body, and the statement edits that they need.
bool is_parameter(const ir::PrimFunc& f, const ir::Buffer& b);
ir::Stmt declare(const ir::Stmt& body, const ir::Buffer& b);    // an Allocate around the body
ir::Stmt undeclare(const ir::Stmt& body, const ir::Buffer& b);  // drops its Allocate or its place in a block
ir::Stmt swap_buffer(const ir::Stmt& body, const ir::Buffer& from, const ir::Buffer& to);

// The conjuncts of a predicate (null: none), and back.
std::vector<ir::Expr> conjuncts(const ir::Expr& predicate);
ir::Expr conjunction(const std::vector<ir::Expr>& parts);
// `s` with `cond` added to the predicates of its outermost blocks; statements outside of blocks get an If.
ir::Stmt add_predicate(const ir::Stmt& s, const ir::Expr& cond);

// `added` before the first (after the last) part of `body` that satisfies `wanted`.
ir::Stmt insert_before(const ir::Stmt& body, const ir::Stmt& added, const std::function<bool(const ir::Stmt&)>& wanted);
ir::Stmt insert_after(const ir::Stmt& body, const ir::Stmt& added, const std::function<bool(const ir::Stmt&)>& wanted);

// The block with reads and writes derived anew from its code.
ir::Block with_regions(ir::Block block);
// The statement with the regions of its blocks derived anew (`only_missing`: of those that declare none). Tensorized
// blocks keep theirs.
ir::Stmt derive_block_regions(const ir::Stmt& body, bool only_missing);
// Loops around a statement, outermost first.
struct LoopSpec {
  ir::Var var;
  ir::Expr extent;
};
ir::Stmt nest(const std::vector<LoopSpec>& loops, ir::Stmt body);
ir::Stmt with_body(const ir::For& loop, ir::Stmt body);

}  // namespace mlc::schedule
