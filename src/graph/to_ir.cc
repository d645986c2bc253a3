#include "graph/to_ir.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "graph/op.h"
#include "ir/loop_hints.h"

namespace mlc::graph {
namespace {

// What a kernel is called with: the values that enter and leave a group, in order of first appearance.
struct Interface {
  std::vector<ValueId> buffers;
  std::vector<Sym> sizes;
  std::set<ValueId> internal;
};

Interface interface_of(const Graph& g, const Group& group) {
  Interface f;
  std::set<ValueId> made;
  for (int i = group.first; i < group.last; ++i) made.insert(g.nodes[static_cast<size_t>(i)].outputs[0]);
  f.internal = made;
  bool used[kNumSyms] = {};
  auto add = [&](ValueId v) {
    if (f.internal.count(v) || std::find(f.buffers.begin(), f.buffers.end(), v) != f.buffers.end()) return;
    f.buffers.push_back(v);
    for (const Dim& d : g.values[static_cast<size_t>(v)].type.shape) {
      if (d.is_symbolic()) used[d.symbol] = true;
    }
  };
  for (int i = group.first; i <= group.last; ++i) {
    for (ValueId v : g.nodes[static_cast<size_t>(i)].inputs) add(v);
  }
  for (int i = group.first; i <= group.last; ++i) {
    for (ValueId v : g.nodes[static_cast<size_t>(i)].outputs) add(v);
  }
  for (int s = 0; s < kNumSyms; ++s) {
    if (used[s]) f.sizes.push_back(static_cast<Sym>(s));
  }
  return f;
}

// The main node: the matmul if there is one, else the first.
const Node& main_node(const Graph& g, const Group& group) {
  for (int i = group.first; i <= group.last; ++i) {
    const Node& n = g.nodes[static_cast<size_t>(i)];
    if (find_op(n.op).kind == OpKind::kMatmul) return n;
  }
  return g.nodes[static_cast<size_t>(group.first)];
}

bool zeros_apart(const Graph& g, const Node& node) {
  return node.op == "matmul_int8" && g.values[static_cast<size_t>(node.inputs[2])].type.dtype == DType::i16();
}

Sym row_symbol(const Graph& g, const Group& group) {
  const Node& last = g.nodes[static_cast<size_t>(group.last)];
  const auto rows = static_cast<Sym>(g.values[static_cast<size_t>(last.outputs[0])].type.shape[0].symbol);
  return rows == Sym::kParts ? Sym::kTokens : rows;  // parts are of token rows
}

// Everything that decides what a kernel computes; the row symbol's name does not (a norm over T or R rows is one).
std::string signature(const Graph& g, const Group& group, const Interface& f) {
  std::map<ValueId, int> number;
  std::string s;
  auto use = [&](ValueId v) {
    auto [it, fresh] = number.emplace(v, static_cast<int>(number.size()));
    s += fmt::format(" {}", it->second);
    if (!fresh) return;
    const TensorType& t = g.values[static_cast<size_t>(v)].type;
    s += ":" + t.dtype.str();
    for (const Dim& d : t.shape) {
      if (!d.is_symbolic()) {
        s += fmt::format(",{}", d.value);
      } else {
        s += fmt::format(",s{}",
                         std::find(f.sizes.begin(), f.sizes.end(), static_cast<Sym>(d.symbol)) - f.sizes.begin());
      }
    }
  };
  for (int i = group.first; i <= group.last; ++i) {
    const Node& n = g.nodes[static_cast<size_t>(i)];
    s += n.op;
    for (const auto& [key, value] : n.attrs) {
      s += fmt::format(" {}={}", key, std::visit([](const auto& v) { return fmt::format("{}", v); }, value));
    }
    if (n.weight) s += fmt::format(" w{}x{}k{}", n.weight->n(), n.weight->k(), static_cast<int>(n.weight->storage()));
    for (ValueId v : n.inputs) use(v);
    s += " ->";
    for (ValueId v : n.outputs) use(v);
    s += ";";
  }
  return s;
}

std::string function_name(const Graph& g, const Group& group, int serial) {
  std::string name = fmt::format("k{}", serial);
  for (int i = group.first; i <= group.last; ++i) name += "_" + g.nodes[static_cast<size_t>(i)].op;
  const Node& main = main_node(g, group);
  if (main.weight) name += fmt::format("_{}x{}", main.weight->n(), main.weight->k());
  return name;
}

// The copy that ends a matmul without tail: sums are made in a buffer of their own, which scheduling puts in registers.
ir::Stmt copy_block(const EmitContext& c, const ir::Buffer& from, const ir::Buffer& to) {
  return ir::block("write", c.row_iters({{"n", to->shape[1]}}), [&](const std::vector<ir::Var>& v) {
    const ir::Expr m = c.row(v), n = v[c.first_column_var()];
    return ir::BlockBody{{}, ir::store(to, {m, n}, ir::load(from, {m, n}))};
  });
}

ir::PrimFunc emit_group(const Graph& g, const Group& group, const Interface& f, Sym rows, int64_t tile,
                        int64_t register_sums) {
  EmitContext c;
  c.rows = rows;
  c.row_tile = tile;
  c.register_sums = register_sums;
  ir::PrimFunc func;
  for (Sym s : f.sizes) {
    const ir::Var v = ir::var(s == rows ? "rows" : sym_name(s));
    c.syms[static_cast<int>(s)] = v;
    func.sizes.push_back(v);
  }
  std::map<ValueId, ir::Buffer> buffers;
  auto make = [&](ValueId v) {
    const Value& value = g.values[static_cast<size_t>(v)];
    std::vector<ir::Expr> shape;
    for (const Dim& d : value.type.shape) shape.push_back(c.extent(d));
    return buffers[v] = ir::buffer(fmt::format("b{}", buffers.size()), value.type.dtype, shape);
  };
  for (ValueId v : f.buffers) func.buffers.push_back(make(v));
  for (ValueId v : f.internal) make(v);
  std::vector<ir::Stmt> nests;
  ir::Buffer sums;
  for (int i = group.first; i <= group.last; ++i) {
    const Node& n = g.nodes[static_cast<size_t>(i)];
    c.node = &n;
    c.in.clear();
    c.out.clear();
    for (ValueId v : n.inputs) c.in.push_back(buffers.at(v));
    for (ValueId v : n.outputs) c.out.push_back(buffers.at(v));
    const OpDef& op = find_op(n.op);
    if (i == group.last && op.kind == OpKind::kMatmul) {
      const ir::Buffer out = c.out[0];
      sums = ir::buffer("sums", out->dtype, out->shape);
      c.out[0] = sums;
      nests.push_back(op.emit(c));
      nests.push_back(copy_block(c, sums, out));
    } else {
      nests.push_back(op.emit(c));
    }
  }
  // Every intermediate is visible to every nest: scheduling moves nests into each other.
  std::vector<ir::Buffer> locals;
  for (ir::Stmt& nest : nests) {
    while (const auto* a = ir::as<ir::Allocate>(nest)) {
      locals.push_back(a->buffer);
      nest = ir::Stmt(a->body);
    }
  }
  if (sums) locals.push_back(sums);
  ir::Stmt body = ir::seq(nests);
  for (const ir::Buffer& b : locals) body = ir::allocate(b, body);
  for (ValueId v : f.internal) body = ir::allocate(buffers.at(v), body);
  func.body = body;
  return func;
}

const char* rule_of(OpKind kind) {
  switch (kind) {
    case OpKind::kMatmul:
      return "matmul";
    case OpKind::kElementwise:
    case OpKind::kRowwise:
      return "rowwise";
    case OpKind::kExplicit:
      return "explicit";
  }
  return "";
}

}  // namespace

std::vector<RowRange> matmul_row_ranges(int64_t largest) {
  std::vector<RowRange> ranges;
  for (int64_t tile = 1; tile <= largest; tile *= 2) ranges.push_back({tile, tile < largest ? tile : -1});
  return ranges;
}

Program to_ir(const Graph& g, const Tiling& tiling) {
  Program p;
  std::map<std::string, std::vector<CallVariant>> known;
  for (const Group& group : g.groups) {
    const Interface f = interface_of(g, group);
    const Node& main = main_node(g, group);
    const OpDef& op = find_op(main.op);
    Call call;
    call.name = main.name;
    call.rows = row_symbol(g, group);
    call.buffers = f.buffers;
    call.sizes = f.sizes;
    call.when = main.when;
    call.ops_per_row = op.ops_per_row(main);
    for (ValueId v : f.buffers) {
      const Value& value = g.values[static_cast<size_t>(v)];
      if (value.kind != ValueKind::kParam || main.op == "embedding") continue;
      int64_t bytes = value.type.dtype.bytes();
      for (const Dim& d : value.type.shape) bytes *= d.value;
      call.param_bytes += bytes;
    }
    auto [it, fresh] = known.emplace(signature(g, group, f), std::vector<CallVariant>{});
    if (fresh) {
      const std::string base = function_name(g, group, static_cast<int>(known.size()));
      const std::vector<RowRange> whole = {{1, -1}};
      const bool tiled = op.kind == OpKind::kMatmul;
      int64_t min = 1;
      for (const RowRange& range : tiled ? matmul_row_ranges(tiling.largest_tile) : whole) {
        ir::PrimFunc func = emit_group(g, group, f, call.rows, range.tile, tiling.register_sums);
        func.name = tiled ? fmt::format("{}_r{}", base, range.tile) : base;
        func.attrs["stage"] = std::string("graph");
        func.attrs["rule"] = std::string(rule_of(op.kind));
        func.attrs["row_tile"] = range.tile;
        if (tiled && range.max < 0) func.attrs[ir::kManyRowsKey] = int64_t{1};
        // A part's 16 products of codes less 7 and signed bytes are at most 16 * 8 * 127.
        if (zeros_apart(g, main)) func.attrs[ir::kHalvesFitKey] = int64_t{1};
        it->second.push_back({func.name, min, range.max});
        p.module.functions.push_back(std::move(func));
        min = range.max + 1;
      }
    }
    call.variants = it->second;
    p.calls.push_back(std::move(call));
  }
  return p;
}

}  // namespace mlc::graph
