#include "schedule/state.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

IndexMap IndexMap::from(int rank, const std::function<std::vector<Expr>(const std::vector<Var>&)>& f) {
  static constexpr const char* kNames = "ijklmnpq";
  IndexMap map;
  for (int d = 0; d < rank; ++d) {
    map.inputs.push_back(var(d < 8 ? std::string(1, kNames[d]) : fmt::format("i{}", d)));
  }
  map.outputs = f(map.inputs);
  return map;
}

std::vector<Expr> IndexMap::apply(const std::vector<Expr>& indices) const {
  MLC_CHECK(indices.size() == inputs.size(), "{} indices for a map of {}", indices.size(), inputs.size());
  VarMap vars;
  for (size_t i = 0; i < inputs.size(); ++i) vars[inputs[i]] = indices[i];
  std::vector<Expr> out;
  for (const Expr& e : outputs) out.push_back(substitute(e, vars));
  return out;
}

std::string State::label(const Var& loop) const {
  for (size_t i = loops.size(); i-- > 0;) {
    if (loops[i] == loop) return fmt::format("loop l{} ({})", i, loop.name());
  }
  return fmt::format("loop {}", loop.name());
}

Result<LoopAt> State::find(LoopRef ref) const {
  if (ref.id < 0 || static_cast<size_t>(ref.id) >= loops.size()) {
    return error("l{} names no loop of this schedule", ref.id);
  }
  const Var& v = loops[static_cast<size_t>(ref.id)];
  std::string name = fmt::format("loop l{} ({})", ref.id, v.name());
  auto path = path_to_loop(func.body, v);
  if (!path) return error("{} is gone: an earlier instruction replaced it", name);
  LoopAt at{std::move(*path), nullptr, std::move(name)};
  at.node = as<For>(at.path.back());
  return at;
}

Result<BlockAt> State::find(BlockRef ref) const {
  if (ref.id < 0 || static_cast<size_t>(ref.id) >= blocks.size()) {
    return error("b{} names no block of this schedule", ref.id);
  }
  const std::string& name = blocks[static_cast<size_t>(ref.id)];
  MLC_TRY(BlockAt at, find_block(name));
  at.label = fmt::format("block b{} ({})", ref.id, name);
  return at;
}

Result<int64_t> State::value(const Number& n) const {
  if (const int64_t* written = std::get_if<int64_t>(&n)) return *written;
  const int id = std::get<ValueRef>(n).id;
  if (id < 0 || static_cast<size_t>(id) >= values.size()) return error("v{} names no value of this schedule", id);
  return values[static_cast<size_t>(id)];
}

Result<BlockAt> State::find_block(const std::string& name) const {
  auto path = path_to_block(func.body, name);
  if (!path) {
    std::string known;
    for_each_stmt(func.body, [&](const Stmt& s) {
      if (const Block* b = as<Block>(s)) known += (known.empty() ? "" : ", ") + b->name;
    });
    return error("function {} has no block {}; its blocks are: {}", func.name, name, known);
  }
  BlockAt at{std::move(*path), nullptr, fmt::format("block {}", name)};
  at.node = as<Block>(at.path.back());
  return at;
}

}  // namespace mlc::schedule
