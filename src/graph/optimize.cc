#include "graph/optimize.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "graph/op.h"

namespace mlc::graph {
namespace {

// Copies values and parameters; nodes are added by the pass.
Graph without_nodes(const Graph& g) {
  Graph out = g;
  out.nodes.clear();
  out.groups.clear();
  return out;
}

bool uses_int8(const Node& node, Activation activation) {
  return activation == Activation::kInt8 && node.weight->is_quantized();
}

std::vector<int> count_uses(const Graph& g) {
  std::vector<int> uses(g.values.size(), 0);
  for (const Node& n : g.nodes) {
    for (ValueId v : n.inputs) ++uses[static_cast<size_t>(v)];
  }
  return uses;
}

}  // namespace

Graph expand_linear(const Graph& g, Activation activation, bool bf16_dots, bool zeros_apart) {
  Graph out = without_nodes(g);
  const std::vector<int> uses = count_uses(g);
  std::map<ValueId, ValueId> halves;  // x -> its words of bf16
  std::map<std::tuple<ValueId, int64_t, bool>, std::vector<ValueId>>
      quantized;  // (x, zero, apart) -> words, scales, zeros
  for (const Node& node : g.nodes) {
    if (node.op != "linear") {
      out.nodes.push_back(node);
      continue;
    }
    const ValueId x = node.inputs[0];
    const std::vector<ValueId> weights(node.inputs.begin() + 1, node.inputs.end());
    Node product;
    product.name = node.name;
    product.weight = node.weight;
    product.outputs = node.outputs;
    if (uses_int8(node, activation)) {
      const bool apart = zeros_apart && node.weight->storage() == quant::Storage::kInt4Group32;
      auto& q = quantized[{x, node.weight->zero(), apart}];
      if (q.empty()) {
        Node quantize;
        quantize.name = node.name + ".input";
        quantize.op = "quantize_rows";
        quantize.attrs = {{"k", node.weight->k()}, {"zero", node.weight->zero()}};
        if (apart) quantize.attrs["apart"] = int64_t{1};
        quantize.inputs = {x};
        // silu(gate) * up goes straight into its codes if nobody else reads it.
        const Node* before = out.nodes.empty() ? nullptr : &out.nodes.back();
        if (before != nullptr && before->op == "silu_mul" && before->outputs[0] == x &&
            uses[static_cast<size_t>(x)] == 1 && node.weight->k() % quant::kGroup == 0) {
          quantize.op = "silu_quantize";
          quantize.inputs = before->inputs;
          out.nodes.pop_back();
        }
        q = out.add_op(quantize, {node.name + ".words", node.name + ".scales", node.name + ".zeros"});
      }
      product.op = "matmul_int8";
      product.inputs = q;
      product.inputs.insert(product.inputs.end(), weights.begin(), weights.end());
    } else if (bf16_dots && activation != Activation::kFloat32 &&
               node.weight->storage() == quant::Storage::kBf16Pairs) {
      auto [rounded, fresh] = halves.emplace(x, -1);
      if (fresh) {
        Node round;
        round.name = node.name + ".input";
        round.op = "bf16_rows";
        round.attrs = {{"k", node.weight->k()}};
        round.inputs = {x};
        rounded->second = out.add_op(round, {node.name + ".words"})[0];
      }
      product.op = "matmul_bf16";
      product.inputs = {rounded->second};
      product.inputs.insert(product.inputs.end(), weights.begin(), weights.end());
    } else {
      Node dequantize;
      dequantize.name = node.name + ".weight";
      dequantize.op = "dequantize";
      dequantize.weight = node.weight;
      dequantize.inputs = weights;
      const ValueId w = out.add_op(dequantize, {node.name + ".w"})[0];
      product.op = "matmul";
      product.inputs = {x, w};
    }
    out.nodes.push_back(product);
  }
  return out;
}

Graph fuse(const Graph& g) {
  Graph out = g;
  out.groups.clear();
  const std::vector<int> uses = count_uses(g);
  const int num_nodes = static_cast<int>(g.nodes.size());
  auto node = [&](int i) -> const Node& { return g.nodes[static_cast<size_t>(i)]; };
  auto only_feeds = [&](int producer, int consumer) {
    const ValueId v = node(producer).outputs[0];
    const auto& in = node(consumer).inputs;
    return uses[static_cast<size_t>(v)] == 1 && g.values[static_cast<size_t>(v)].kind == ValueKind::kTemp &&
           std::find(in.begin(), in.end(), v) != in.end();
  };
  for (int i = 0; i < num_nodes;) {
    Group group{i, i};
    if (node(i).op == "dequantize") {
      MLC_CHECK(i + 1 < num_nodes && only_feeds(i, i + 1), "the dequantization {} has no matmul", node(i).name);
      group.last = i + 1;
    }
    if (find_op(node(group.last).op).kind == OpKind::kMatmul) {
      while (group.last + 1 < num_nodes && find_op(node(group.last + 1).op).kind == OpKind::kElementwise &&
             node(group.last + 1).op != "dequantize" && only_feeds(group.last, group.last + 1)) {
        ++group.last;
      }
    }
    out.groups.push_back(group);
    i = group.last + 1;
  }
  return out;
}

namespace {

RowBytes size_of(const Value& v) {
  int64_t bytes = v.type.dtype.bytes();
  for (size_t d = 1; d < v.type.shape.size(); ++d) bytes *= v.type.shape[d].value;
  // Rounded so that any multiple of kRowPadding rows keeps the next buffer aligned to 64 bytes.
  bytes = (bytes + 3) / 4 * 4;
  RowBytes r;
  MLC_CHECK(v.type.shape[0].is_symbolic(), "temp {} has no row dimension", v.name);
  switch (static_cast<Sym>(v.type.shape[0].symbol)) {
    case Sym::kTokens:
      r.per_token = bytes;
      break;
    case Sym::kLogitRows:
      r.per_logit_row = bytes;
      break;
    case Sym::kParts:
      r.per_part = bytes;
      break;
    default:
      MLC_UNREACHABLE("temp {} has as many rows as {}", v.name, sym_name(static_cast<Sym>(v.type.shape[0].symbol)));
  }
  return r;
}

struct Live {
  int64_t offset, size;
  int last;
};

// First fit into the gaps between what is alive.
int64_t first_fit(std::vector<Live>& alive, int now, int64_t size, int last) {
  std::erase_if(alive, [now](const Live& l) { return l.last < now; });
  std::sort(alive.begin(), alive.end(), [](const Live& a, const Live& b) { return a.offset < b.offset; });
  int64_t at = 0;
  for (const Live& l : alive) {
    if (l.offset - at >= size) break;
    at = std::max(at, l.offset + l.size);
  }
  alive.push_back({at, size, last});
  return at;
}

}  // namespace

MemoryPlan plan_memory(const Graph& g) {
  const size_t n = g.values.size();
  MemoryPlan plan{std::vector<RowBytes>(n), std::vector<RowBytes>(n), std::vector<bool>(n, false), {}};
  std::vector<int> first(n, -1), last(n, -1);  // groups of definition and last use
  for (size_t k = 0; k < g.groups.size(); ++k) {
    for (int i = g.groups[k].first; i <= g.groups[k].last; ++i) {
      const Node& node = g.nodes[static_cast<size_t>(i)];
      for (ValueId v : node.outputs) {
        if (first[static_cast<size_t>(v)] < 0) first[static_cast<size_t>(v)] = static_cast<int>(k);
        last[static_cast<size_t>(v)] = static_cast<int>(k);
      }
      for (ValueId v : node.inputs) last[static_cast<size_t>(v)] = static_cast<int>(k);
    }
  }
  std::vector<Live> tokens, logit_rows, parts;  // one arena per row symbol
  for (size_t k = 0; k < g.groups.size(); ++k) {
    for (int i = g.groups[k].first; i <= g.groups[k].last; ++i) {
      for (ValueId id : g.nodes[static_cast<size_t>(i)].outputs) {
        const auto v = static_cast<size_t>(id);
        const bool internal = i < g.groups[k].last && last[v] == static_cast<int>(k);
        if (g.values[v].kind != ValueKind::kTemp || internal || plan.placed[v]) continue;
        const RowBytes size = size_of(g.values[v]);
        plan.placed[v] = true;
        plan.size[v] = size;
        const auto place = [&](std::vector<Live>& arena, int64_t RowBytes::* rows) {
          if (size.*rows == 0) return;
          plan.offset[v].*rows = first_fit(arena, first[v], size.*rows, last[v]);
          plan.total.*rows = std::max(plan.total.*rows, plan.offset[v].*rows + size.*rows);
        };
        place(tokens, &RowBytes::per_token);
        place(logit_rows, &RowBytes::per_logit_row);
        place(parts, &RowBytes::per_part);
      }
    }
  }
  // The logit-row arena lies behind the token arena, parts behind both.
  for (size_t v = 0; v < n; ++v) {
    if (!plan.placed[v] || plan.size[v].per_token > 0) continue;
    plan.offset[v].per_token = plan.total.per_token;
    if (plan.size[v].per_part > 0) plan.offset[v].per_logit_row = plan.total.per_logit_row;
  }
  return plan;
}

}  // namespace mlc::graph
