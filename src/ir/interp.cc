// Statements of the interpreter. One thread walks the tree (Machine::exec) until it meets a loop over the threads of a
// group with a barrier inside: there the frame is copied per thread, and the threads walk together (exec_group), each
// running whole statements without barriers by itself. A barrier is then nothing but the place where all have arrived.
#include "ir/interp.h"

#include <cstring>

#include "ir/interp_program.h"
#include "ir/text.h"
#include "ir/verify.h"

namespace mlc::ir {

namespace interp {

namespace {

// Innermost statement under way, for messages; one per running interpreter, which may nest for instructions.
thread_local const SNode* current = nullptr;

class Machine {
 public:
  explicit Machine(const Program& p) : p_(p) {}

  void exec(int id, Frame& frame);
  void allocate(int buffer, Frame& frame);

 private:
  using Group = std::vector<Frame*>;
  const Program& p_;

  const SNode& node(int id) const { return p_.stmts[static_cast<size_t>(id)]; }
  int64_t value(int expr, Frame& frame) {
    eval(p_, expr, frame);
    return frame.slots[static_cast<size_t>(p_.exprs[static_cast<size_t>(expr)].out)].i;
  }
  int64_t uniform(int expr, const Group& group, const char* what);

  void loop(const SNode& n, Frame& frame);
  void store(const SNode& n, Frame& frame);
  void let(const SNode& n, Frame& frame);
  bool enter_block(const SNode& n, Frame& frame, bool* at_start);
  void assume(const SNode& n, Frame& frame) {
    if (!value(n.a, frame)) trap("the assumption does not hold");
  }

  void exec_group(int id, const Group& group);
  void group_loop(const SNode& n, const Group& group);
  void spread_threads(const SNode& n, const Group& group);
  void group_block(const SNode& n, const Group& group);
  void group_allocate(int buffer, const Group& group);
};

void Machine::allocate(int buffer, Frame& frame) {
  const BufferInfo& info = p_.buffers[static_cast<size_t>(buffer)];
  int64_t bytes = info.type.element_bytes();
  for (size_t d = 0; d < info.shape.size(); ++d) {
    const int64_t extent = value(info.shape[d], frame);
    if (extent < 0) trap("buffer {} has dimension {}", info.buffer->name, extent);
    frame.slots[static_cast<size_t>(info.dims) + d].i = extent;
    if (__builtin_mul_overflow(bytes, extent, &bytes) || bytes > (int64_t{1} << 34)) {
      trap("buffer {} is too large to interpret", info.buffer->name);
    }
  }
  View& view = frame.views[static_cast<size_t>(buffer)];
  // Undefined contents: NaN for floats, -1 for integers, so that a read before a write shows.
  if (view.owner && view.owner.use_count() == 1) {
    view.owner->assign(static_cast<size_t>(bytes), 0xff);
  } else {
    view.owner = std::make_shared<std::vector<uint8_t>>(static_cast<size_t>(bytes), 0xff);
  }
  view.data = view.owner->data();
  view.bytes = bytes;
}

void Machine::loop(const SNode& n, Frame& frame) {
  const int64_t lo = value(n.a, frame), extent = value(n.b, frame);
  for (int64_t i = 0; i < extent; ++i) {
    frame.slots[static_cast<size_t>(n.slot)].i = lo + i;
    exec(n.children[0], frame);
  }
}

void Machine::store(const SNode& n, Frame& frame) {
  const BufferInfo& info = p_.buffers[static_cast<size_t>(n.buffer)];
  for (int i : n.indices) eval(p_, i, frame);
  eval(p_, n.a, frame);
  if (n.predicate >= 0) eval(p_, n.predicate, frame);
  const ENode& v = p_.exprs[static_cast<size_t>(n.a)];
  uint8_t* data = frame.views[static_cast<size_t>(n.buffer)].data;
  for (int lane = 0; lane < v.type.lanes; ++lane) {
    if (n.predicate >= 0) {
      const ENode& p = p_.exprs[static_cast<size_t>(n.predicate)];
      if (!frame.slots[static_cast<size_t>(p.out + lane)].i) continue;
    }
    const int64_t offset = element_offset(p_, info, n.indices, lane, frame);
    encode(info.type, &frame.slots[static_cast<size_t>(v.out + lane)], 1, data + offset);
  }
}

void Machine::let(const SNode& n, Frame& frame) {
  eval(p_, n.a, frame);
  const ENode& v = p_.exprs[static_cast<size_t>(n.a)];
  std::copy_n(&frame.slots[static_cast<size_t>(v.out)], v.type.lanes, &frame.slots[static_cast<size_t>(n.slot)]);
}

// Binds the block's variables; false if the predicate excludes the instance. at_start: all reduce variables are at 0.
bool Machine::enter_block(const SNode& n, Frame& frame, bool* at_start) {
  if (n.predicate >= 0 && !value(n.predicate, frame)) return false;
  for (const SNode::Iter& it : n.iters) {
    const int64_t extent = value(it.extent, frame), v = value(it.binding, frame);
    if (v < 0 || v >= extent) trap("a variable of the block is bound to {}, outside its domain [0, {})", v, extent);
  }
  *at_start = true;
  for (const SNode::Iter& it : n.iters) {
    const Slot v = frame.slots[static_cast<size_t>(p_.exprs[static_cast<size_t>(it.binding)].out)];
    frame.slots[static_cast<size_t>(it.slot)] = v;
    if (it.reduce && v.i != 0) *at_start = false;
  }
  return true;
}

void Machine::exec(int id, Frame& frame) {
  const SNode& n = node(id);
  current = &n;
  switch (n.kind) {
    case SKind::kFor:
      if (n.thread_axis && n.group) {
        exec_group(id, {&frame});
      } else {
        loop(n, frame);
      }
      break;
    case SKind::kStore:
      store(n, frame);
      break;
    case SKind::kIf:
      if (value(n.a, frame)) {
        exec(n.children[0], frame);
      } else if (n.children[1] >= 0) {
        exec(n.children[1], frame);
      }
      break;
    case SKind::kSeq:
      for (int c : n.children) exec(c, frame);
      break;
    case SKind::kAllocate:
      allocate(n.buffer, frame);
      exec(n.children[0], frame);
      break;
    case SKind::kLet:
      let(n, frame);
      exec(n.children[0], frame);
      break;
    case SKind::kBlock: {
      bool at_start = false;
      if (!enter_block(n, frame, &at_start)) break;
      for (int b : n.allocs) allocate(b, frame);
      if (at_start && n.children[0] >= 0) exec(n.children[0], frame);
      exec(n.children[1], frame);
      break;
    }
    case SKind::kEvaluate:
      eval(p_, n.a, frame);
      break;
    case SKind::kAssume:
      assume(n, frame);
      break;
    case SKind::kNothing:
      break;
    case SKind::kBarrier:
      break;  // a group of one
  }
}

// ---- Groups of threads

int64_t Machine::uniform(int expr, const Group& group, const char* what) {
  const int64_t v = value(expr, *group[0]);
  for (Frame* f : group) {
    if (value(expr, *f) != v) trap("{} around a barrier differs between the threads of a group", what);
  }
  return v;
}

void Machine::group_loop(const SNode& n, const Group& group) {
  const int64_t extent = uniform(n.b, group, "the extent of a loop");
  std::vector<int64_t> lo;
  for (Frame* f : group) lo.push_back(value(n.a, *f));
  for (int64_t i = 0; i < extent; ++i) {
    for (size_t t = 0; t < group.size(); ++t) group[t]->slots[static_cast<size_t>(n.slot)].i = lo[t] + i;
    exec_group(n.children[0], group);
  }
}

// One frame per thread. Local memory is a thread's own; shared and global memory is common.
void Machine::spread_threads(const SNode& n, const Group& group) {
  const int64_t lo = uniform(n.a, group, "the minimum of a thread axis");
  const int64_t extent = uniform(n.b, group, "the extent of a thread axis");
  if (extent < 0 || extent > 1 << 16) trap("a thread axis of extent {}", extent);
  std::vector<Frame> frames;
  frames.reserve(group.size() * static_cast<size_t>(extent));
  Group threads;
  for (Frame* parent : group) {
    for (int64_t i = 0; i < extent; ++i) {
      Frame& f = frames.emplace_back(*parent);
      f.slots[static_cast<size_t>(n.slot)].i = lo + i;
      for (size_t b = 0; b < f.views.size(); ++b) {
        View& v = f.views[b];
        if (!v.owner || p_.buffers[b].buffer->scope != Scope::kLocal) continue;
        v.owner = std::make_shared<std::vector<uint8_t>>(*v.owner);
        v.data = v.owner->data();
      }
      threads.push_back(&f);
    }
  }
  if (!threads.empty()) exec_group(n.children[0], threads);
}

void Machine::group_allocate(int buffer, const Group& group) {
  const bool shared = p_.buffers[static_cast<size_t>(buffer)].buffer->scope == Scope::kShared;
  const size_t b = static_cast<size_t>(buffer);
  for (Frame* f : group) {
    f->views[b].owner.reset();
    if (!shared || f == group[0]) {
      allocate(buffer, *f);
      continue;
    }
    f->views[b] = group[0]->views[b];
    const size_t dims = static_cast<size_t>(p_.buffers[b].dims);
    for (size_t d = dims; d < dims + p_.buffers[b].shape.size(); ++d) f->slots[d] = group[0]->slots[d];
  }
}

void Machine::group_block(const SNode& n, const Group& group) {
  bool first_entered = false, first_at_start = false;
  for (Frame* f : group) {
    bool at_start = false;
    const bool entered = enter_block(n, *f, &at_start);
    if (f == group[0]) {
      first_entered = entered;
      first_at_start = at_start;
    } else if (entered != first_entered || at_start != first_at_start) {
      trap("the predicate or the start of a block around a barrier differs between the threads of a group");
    }
  }
  if (!first_entered) return;
  for (int b : n.allocs) group_allocate(b, group);
  if (first_at_start && n.children[0] >= 0) exec_group(n.children[0], group);
  exec_group(n.children[1], group);
}

void Machine::exec_group(int id, const Group& group) {
  const SNode& n = node(id);
  if (!n.group) {
    for (Frame* f : group) exec(id, *f);
    return;
  }
  current = &n;
  switch (n.kind) {
    case SKind::kFor:
      if (n.thread_axis) {
        spread_threads(n, group);
      } else {
        group_loop(n, group);
      }
      break;
    case SKind::kIf:
      if (uniform(n.a, group, "the condition of an if")) {
        exec_group(n.children[0], group);
      } else if (n.children[1] >= 0) {
        exec_group(n.children[1], group);
      }
      break;
    case SKind::kSeq:
      for (int c : n.children) exec_group(c, group);
      break;
    case SKind::kAllocate:
      group_allocate(n.buffer, group);
      exec_group(n.children[0], group);
      break;
    case SKind::kLet:
      for (Frame* f : group) let(n, *f);
      exec_group(n.children[0], group);
      break;
    case SKind::kBlock:
      group_block(n, group);
      break;
    case SKind::kBarrier:
      break;  // all threads of the group are here
    default:
      MLC_UNREACHABLE("statement kind {} in a group", static_cast<int>(n.kind));
  }
}

}  // namespace

void bind_parameters(const Program& p, Frame& frame) {
  for (size_t b = 0; b < p.func.buffers.size(); ++b) {
    const BufferInfo& info = p.buffers[b];
    int64_t bytes = info.type.element_bytes();
    for (size_t d = 0; d < info.shape.size(); ++d) {
      eval(p, info.shape[d], frame);
      const int64_t extent = frame.slots[static_cast<size_t>(p.exprs[static_cast<size_t>(info.shape[d])].out)].i;
      if (extent < 0 || __builtin_mul_overflow(bytes, extent, &bytes)) {
        trap("parameter {} has dimension {}", info.buffer->name, extent);
      }
      frame.slots[static_cast<size_t>(info.dims) + d].i = extent;
    }
    if (frame.views[b].bytes < bytes) {
      trap("parameter {} needs {} bytes, was given {}", info.buffer->name, bytes, frame.views[b].bytes);
    }
  }
}

void run(const Program& p, Frame& frame) {
  const SNode* outside = current;
  Machine(p).exec(p.body, frame);
  current = outside;
}

}  // namespace interp

// The text of a statement, its first lines when it is long.
static std::string excerpt(const Stmt& s) {
  std::string text = print(s, 1);
  size_t end = 0;
  for (int i = 0; i < 4 && end != std::string::npos; ++i) end = text.find('\n', end + 1);
  if (end != std::string::npos && end + 1 < text.size()) text = text.substr(0, end) + "\n  …";
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Result<void> interpret(const PrimFunc& f, const std::vector<RawBuffer>& buffers, const std::vector<int64_t>& sizes) {
  MLC_TRY_VOID(verify(f, Level::kGraph));
  if (buffers.size() != f.buffers.size() || sizes.size() != f.sizes.size()) {
    return error("function {} takes {} buffers and {} sizes, was given {} and {}", f.name, f.buffers.size(),
                 f.sizes.size(), buffers.size(), sizes.size());
  }
  const std::shared_ptr<const interp::Program> p = interp::compile(f);
  interp::Frame frame;
  frame.slots = p->initial;
  frame.views.resize(p->buffers.size());
  for (size_t i = 0; i < sizes.size(); ++i) frame.slots[static_cast<size_t>(p->sizes[i])].i = sizes[i];
  for (size_t i = 0; i < buffers.size(); ++i) {
    frame.views[i].data = static_cast<uint8_t*>(buffers[i].data);
    frame.views[i].bytes = buffers[i].bytes;
  }
  interp::current = nullptr;
  try {
    interp::bind_parameters(*p, frame);
    interp::run(*p, frame);
  } catch (const interp::Trap& t) {
    if (!interp::current) return error("function {}: {}", f.name, t.message);
    return error("function {}: {}\nin\n{}", f.name, t.message, excerpt(interp::current->source));
  }
  return {};
}

Expr evaluate_constant(const Expr& e) {
  const std::shared_ptr<const interp::Program> p = interp::compile({"constant", {}, {}, evaluate(e), {}});
  interp::Frame frame;
  frame.slots = p->initial;
  const int root = p->stmts[static_cast<size_t>(p->body)].a;
  try {
    interp::eval(*p, root, frame);
  } catch (const interp::Trap&) {
    return {};
  }
  const interp::Slot* v = &frame.slots[static_cast<size_t>(p->exprs[static_cast<size_t>(root)].out)];
  for (int i = 1; i < e.dtype().lanes; ++i) {
    if (v[i].i != v[0].i) return {};  // bits
  }
  return e.dtype().is_float() ? fimm(e.dtype(), v->f) : imm(e.dtype(), v->i);
}

}  // namespace mlc::ir
