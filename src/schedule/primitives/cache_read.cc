#include "schedule/primitives/cache_read.h"

#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

namespace {

const char* suffix(Scope s) { return s == Scope::kLocal ? "local" : s == Scope::kShared ? "shared" : "copy"; }

}  // namespace

Result<Change> apply(const State& s, const CacheRead& x) {
  MLC_TRY(BlockAt at, s.find(x.block));
  MLC_TRY(Buffer b, buffer_named(at, x.buffer, true, false));
  if (at.node->annotations.count("tensorized")) return error("{} is tensorized; cache before that", at.label);
  if (touches(accesses_of(*at.node), b, true)) return error("{} also writes {}", at.label, b->name);
  if (scope_of(at.path)) return error("{} stands inside another block; its buffers cannot be cached", at.label);
  Stmt top = top_statement(at.path);
  for (const Path& p : blocks_in(top)) {
    if (touches(accesses_of(block_of(p)), b, true)) {
      return error("{}: block {} in the same nest writes {}, so that a copy before the nest would be too early",
                   at.label, block_of(p).name, b->name);
    }
  }
  const std::string name = unique_name(s.func, fmt::format("{}_{}", b->name, suffix(x.scope)));
  Buffer copy = derived_buffer(b, name, b->shape, x.scope);
  Block reader = *at.node;
  Stmt reading = swap_buffer(make_stmt(std::move(reader)), b, copy);
  Stmt body = replace(s.func.body, at.path.back(), reading);
  State next = s;
  next.func.body = body;
  MLC_TRY(BlockAt moved, next.find_block(at.node->name));
  Stmt new_top = top_statement(moved.path);
  Stmt filled = seq({copy_nest(name, b, copy, b->shape), new_top});
  return Change{declare(replace(body, new_top, filled), copy), {name}, {}};
}

}  // namespace mlc::schedule
