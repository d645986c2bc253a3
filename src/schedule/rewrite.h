// Steps that several primitives share.
#pragma once

#include "schedule/legality.h"
#include "schedule/region.h"
#include "schedule/state.h"

namespace mlc::schedule {

// split and fuse want loops that nothing has been decided about.
Result<void> expect_serial(const LoopAt& at, const char* what);
// The loop with another kind, if its iterations allow it.
Result<Change> with_kind(const State& s, const LoopAt& at, ir::ForKind kind, const std::string& thread);

// The buffer of this name among those that the block reads (writes); an error lists them.
Result<ir::Buffer> buffer_named(const BlockAt& at, const std::string& name, bool among_reads, bool among_writes);

// Takes a block out of its nest: loops left empty go too.
ir::Stmt without(const ir::Stmt& body, const ir::Stmt& block);
// The block with fresh loops over `domain`, one per variable, and the predicate that keeps it inside its own domain.
ir::Stmt rebuild_nest(const ir::Block& block, const std::vector<ir::Range>& domain, const arith::Bounds& bounds);

// Checks common to compute_at and reverse_compute_at: same scope, and the block may leave its loops.
Result<BlockClass> check_movable(const State& s, const BlockAt& at, const LoopAt& loop);

// Every read buffer[indices] in the block's code becomes f(indices).
ir::Stmt replace_loads(const ir::Stmt& s, const ir::Buffer& b,
                       const std::function<ir::Expr(const std::vector<ir::Expr>&)>& f);
// The only unconditional store of a block without init, or null.
const ir::Store* single_store(const ir::Block& b);
// For a store or load indexed by plain variables of the block, each once (constants 0 where the extent is 1): the
// position of the variable per dimension (-1 for a constant); nullopt otherwise.
std::optional<std::vector<int>> plain_indices(const ir::Block& b, const ir::Buffer& buffer,
                                              const std::vector<ir::Expr>& indices);

// A block `name` that copies `from` to `to` (equal ranks) over `extents`, with its loops.
ir::Stmt copy_nest(const std::string& name, const ir::Buffer& from, const ir::Buffer& to,
                   const std::vector<ir::Expr>& extents);
// The statement at the top of the scope that holds the path's last node: a child of the function's sequence.
ir::Stmt top_statement(const Path& path);

// Another buffer with this scope, name or shape.
ir::Buffer derived_buffer(const ir::Buffer& b, std::string name, std::vector<ir::Expr> shape, ir::Scope scope);

}  // namespace mlc::schedule
