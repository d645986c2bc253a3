#include "schedule/schedule.h"

#include "schedule/legality.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

namespace {

// Loops that begin elsewhere begin at 0.
class FromZero : public Mutator {
 public:
  using Mutator::mutate;
  Expr mutate(const Expr& e) override { return e; }
  Stmt mutate(const Stmt& s) override {
    Stmt out = Mutator::mutate(s);
    const For* f = as<For>(out);
    if (!f || is_const(f->min, 0)) return out;
    For n = *f;
    n.body = substitute(f->body, {{f->var, f->min + Expr(f->var)}});
    n.min = Expr(0);
    return make_stmt(std::move(n));
  }
};

bool nodes_repeat(const Stmt& body) {
  std::set<Var> vars;
  std::set<const StmtNode*> nodes;
  bool repeat = false;
  for_each_stmt(body, [&](const Stmt& s) {
    repeat |= !nodes.insert(s.get()).second;
    if (const For* f = as<For>(s)) repeat |= !vars.insert(f->var).second;
    if (const Block* b = as<Block>(s)) {
      for (const IterVar& it : b->iters) repeat |= !vars.insert(it.var).second;
    }
  });
  return repeat;
}

}  // namespace

Schedule::Schedule(PrimFunc f) {
  if (nodes_repeat(f.body)) f.body = refresh(f.body);
  FromZero from_zero;
  f.body = derive_block_regions(from_zero.mutate(f.body), true);
  std::set<std::string> names;
  for_each_stmt(f.body, [&](const Stmt& s) {
    if (const Block* b = as<Block>(s)) {
      MLC_CHECK(names.insert(b->name).second, "function {} has two blocks named {}", f.name, b->name);
      if (b->predicate) state_.guarded_blocks.insert(b->name);
    }
    if (const For* l = as<For>(s); l && l->kind != ForKind::kSerial) state_.given_loops.insert(l->var);
  });
  state_.func = std::move(f);
}

Result<std::vector<Ref>> Schedule::run(const Instruction& instruction) {
  auto refuse = [&](Error e) { return std::move(e).context("{}", print(instruction)); };
  auto change = std::visit([&](const auto& x) { return apply(state_, x); }, instruction);
  if (!change) return refuse(std::move(change).error());
  State next = state_;
  std::vector<Ref> outputs;
  for (const std::string& b : change->blocks) {
    outputs.push_back(BlockRef{static_cast<int>(next.blocks.size())});
    next.blocks.push_back(b);
  }
  for (const Var& v : change->loops) {
    outputs.push_back(LoopRef{static_cast<int>(next.loops.size())});
    next.loops.push_back(v);
  }
  for (int64_t v : change->values) {
    outputs.push_back(ValueRef{static_cast<int>(next.values.size())});
    next.values.push_back(v);
  }
  if (!change->body.same_as(state_.func.body)) {
    next.func.body = change->body;
    auto legal = check_all_loops(next);
    if (!legal) return refuse(std::move(legal).error());
  }
  state_ = std::move(next);
  trace_.steps.push_back({instruction, outputs});
  return outputs;
}

namespace {

Result<void> nothing(Result<std::vector<Ref>> r) {
  if (!r) return std::move(r).error();
  return {};
}
template <typename T>
Result<T> one(Result<std::vector<Ref>> r) {
  if (!r) return std::move(r).error();
  return std::get<T>(r->front());
}
template <typename T>
Result<std::vector<T>> many(Result<std::vector<Ref>> r) {
  if (!r) return std::move(r).error();
  std::vector<T> out;
  for (const Ref& x : *r) out.push_back(std::get<T>(x));
  return out;
}

}  // namespace

Result<BlockRef> Schedule::block(const std::string& name) { return one<BlockRef>(run(GetBlock{name})); }
Result<std::vector<LoopRef>> Schedule::loops(BlockRef b) { return many<LoopRef>(run(GetLoops{b})); }
Result<ValueRef> Schedule::sample_categorical(std::string name, std::vector<int64_t> candidates,
                                              std::vector<double> probabilities, int64_t decision) {
  return one<ValueRef>(
      run(SampleCategorical{std::move(name), std::move(candidates), std::move(probabilities), decision}));
}
Result<std::vector<ValueRef>> Schedule::sample_perfect_tile(std::string name, LoopRef loop, int64_t max_innermost,
                                                            std::vector<int64_t> decision) {
  return many<ValueRef>(run(SamplePerfectTile{std::move(name), loop, max_innermost, std::move(decision)}));
}
Result<std::vector<LoopRef>> Schedule::split(LoopRef loop, std::vector<Number> factors) {
  return many<LoopRef>(run(Split{loop, std::move(factors)}));
}
Result<LoopRef> Schedule::fuse(std::vector<LoopRef> l) { return one<LoopRef>(run(Fuse{std::move(l)})); }
Result<void> Schedule::reorder(std::vector<LoopRef> l) { return nothing(run(Reorder{std::move(l)})); }
Result<void> Schedule::parallel(LoopRef loop) { return nothing(run(Parallel{loop})); }
Result<void> Schedule::vectorize(LoopRef loop) { return nothing(run(Vectorize{loop})); }
Result<void> Schedule::unroll(LoopRef loop) { return nothing(run(Unroll{loop})); }
Result<void> Schedule::bind(LoopRef loop, std::string thread) { return nothing(run(Bind{loop, std::move(thread)})); }
Result<void> Schedule::compute_at(BlockRef b, LoopRef loop) { return nothing(run(ComputeAt{b, loop})); }
Result<void> Schedule::reverse_compute_at(BlockRef b, LoopRef loop) { return nothing(run(ReverseComputeAt{b, loop})); }
Result<void> Schedule::compute_inline(BlockRef b) { return nothing(run(ComputeInline{b})); }
Result<void> Schedule::reverse_compute_inline(BlockRef b) { return nothing(run(ReverseComputeInline{b})); }
Result<BlockRef> Schedule::cache_read(BlockRef b, std::string buffer, Scope scope) {
  return one<BlockRef>(run(CacheRead{b, std::move(buffer), scope}));
}
Result<BlockRef> Schedule::cache_write(BlockRef b, std::string buffer, Scope scope) {
  return one<BlockRef>(run(CacheWrite{b, std::move(buffer), scope}));
}
Result<BlockRef> Schedule::decompose_reduction(BlockRef b, LoopRef loop) {
  return one<BlockRef>(run(DecomposeReduction{b, loop}));
}
Result<BlockRef> Schedule::rfactor(LoopRef loop, int64_t axis) { return one<BlockRef>(run(Rfactor{loop, axis})); }
Result<BlockRef> Schedule::blockize(LoopRef loop) { return one<BlockRef>(run(Blockize{loop})); }
Result<BlockRef> Schedule::tensorize(LoopRef loop, std::string intrin) {
  return one<BlockRef>(run(Tensorize{loop, std::move(intrin)}));
}
Result<void> Schedule::transform_layout(BlockRef b, std::string buffer, IndexMap map) {
  return nothing(run(TransformLayout{b, std::move(buffer), std::move(map)}));
}
Result<void> Schedule::pad_einsum(BlockRef b, std::vector<int64_t> padding) {
  return nothing(run(PadEinsum{b, std::move(padding)}));
}
Result<void> Schedule::set_scope(BlockRef b, std::string buffer, Scope scope) {
  return nothing(run(SetScope{b, std::move(buffer), scope}));
}
Result<void> Schedule::annotate(LoopRef loop, std::string key, AnnotationValue value) {
  return nothing(run(AnnotateLoop{loop, std::move(key), std::move(value)}));
}
Result<void> Schedule::annotate(BlockRef b, std::string key, AnnotationValue value) {
  return nothing(run(AnnotateBlock{b, std::move(key), std::move(value)}));
}

bool Schedule::has_block(const std::string& name) const { return state_.find_block(name).has_value(); }
const Block* Schedule::find(BlockRef b) const {
  auto at = state_.find(b);
  return at ? at->node : nullptr;
}
const For* Schedule::find(LoopRef loop) const {
  auto at = state_.find(loop);
  return at ? at->node : nullptr;
}
int64_t Schedule::value(ValueRef v) const {
  auto value = state_.value(v);
  MLC_CHECK(value, "{}", value.error().message);
  return *value;
}

namespace {

// What the values of a trace are in the schedule that replays it.
struct Replayed {
  std::map<int, BlockRef> blocks;
  std::map<int, LoopRef> loops;
  std::map<int, ValueRef> values;

  Result<Ref> find(const Ref& r) const {
    auto look_up = [](const auto& known, char kind, int id) -> Result<Ref> {
      if (auto it = known.find(id); it != known.end()) return Ref(it->second);
      return error("{}{} is used before an instruction gives it", kind, id);
    };
    if (const BlockRef* b = std::get_if<BlockRef>(&r)) return look_up(blocks, 'b', b->id);
    if (const LoopRef* l = std::get_if<LoopRef>(&r)) return look_up(loops, 'l', l->id);
    return look_up(values, 'v', std::get<ValueRef>(r).id);
  }
  // False: they are of different kinds.
  bool bind(const Ref& in_trace, const Ref& made) {
    if (in_trace.index() != made.index()) return false;
    if (const BlockRef* b = std::get_if<BlockRef>(&made)) blocks[std::get<BlockRef>(in_trace).id] = *b;
    if (const LoopRef* l = std::get_if<LoopRef>(&made)) loops[std::get<LoopRef>(in_trace).id] = *l;
    if (const ValueRef* v = std::get_if<ValueRef>(&made)) values[std::get<ValueRef>(in_trace).id] = *v;
    return true;
  }
};

}  // namespace

Result<Schedule> replay(const PrimFunc& f, const Trace& trace) {
  Schedule s(f);
  Replayed replayed;
  for (size_t i = 0; i < trace.steps.size(); ++i) {
    const Step& step = trace.steps[i];
    Result<void> known;
    Instruction mapped = map_refs(step.instruction, [&](const Ref& r) { return replayed.find(r); }, &known);
    if (!known) return std::move(known).error().context("trace line {}, {}", i + 1, print(step.instruction));
    auto outputs = s.run(mapped);
    if (!outputs) return std::move(outputs).error().context("trace line {}", i + 1);
    if (outputs->size() != step.outputs.size()) {
      return error("trace line {}: {} gives {} values, the trace names {}", i + 1, print(step.instruction),
                   outputs->size(), step.outputs.size());
    }
    for (size_t k = 0; k < outputs->size(); ++k) {
      if (!replayed.bind(step.outputs[k], (*outputs)[k])) {
        return error("trace line {}: output {} of {} is of the other kind", i + 1, k + 1, print(step.instruction));
      }
    }
  }
  return s;
}

}  // namespace mlc::schedule
