#include "graph/graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "graph/op.h"

namespace mlc::graph {

const char* sym_name(Sym s) {
  static constexpr const char* kNames[] = {"T", "R", "P", "N", "Q"};
  return kNames[static_cast<int>(s)];
}

std::string TensorType::str() const {
  std::vector<std::string> dims;
  for (const Dim& d : shape) {
    dims.push_back(d.is_symbolic() ? sym_name(static_cast<Sym>(d.symbol)) : std::to_string(d.value));
  }
  return fmt::format("{}[{}]", dtype.str(), fmt::join(dims, ", "));
}

int64_t Node::int_attr(const std::string& key) const {
  auto it = attrs.find(key);
  MLC_CHECK(it != attrs.end(), "node {} ({}) has no attribute {}", name, op, key);
  return std::get<int64_t>(it->second);
}

double Node::float_attr(const std::string& key) const {
  auto it = attrs.find(key);
  MLC_CHECK(it != attrs.end(), "node {} ({}) has no attribute {}", name, op, key);
  return std::get<double>(it->second);
}

ValueId Graph::add_value(std::string name, TensorType type, ValueKind kind) {
  values.push_back({std::move(name), std::move(type), kind, -1, -1});
  return static_cast<ValueId>(values.size()) - 1;
}

ValueId Graph::add_param(const quant::PackedTensor& tensor) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i].kind == ValueKind::kParam && values[i].name == tensor.name) return static_cast<ValueId>(i);
  }
  const ValueId id =
      add_value(tensor.name, {tensor.dtype, {tensor.shape.begin(), tensor.shape.end()}}, ValueKind::kParam);
  values.back().param = static_cast<int>(params.size());
  params.push_back(tensor);
  return id;
}

ValueId Graph::add_kv(const std::string& name, TensorType type, int kv) {
  const ValueId id = add_value(name, std::move(type), ValueKind::kKv);
  values.back().kv = kv;
  return id;
}

std::vector<ValueId> Graph::add_op(Node node, const std::vector<std::string>& output_names) {
  std::vector<TensorType> inputs;
  for (ValueId v : node.inputs) inputs.push_back(values[static_cast<size_t>(v)].type);
  const std::vector<TensorType> types = find_op(node.op).infer(node, inputs);
  MLC_CHECK(types.size() >= output_names.size(), "node {} ({})", node.name, node.op);
  // Outputs beyond the named ones exist already.
  std::vector<ValueId> fresh;
  for (size_t i = 0; i < output_names.size(); ++i) {
    fresh.push_back(add_value(output_names[i], types[i], ValueKind::kTemp));
  }
  std::vector<ValueId> outputs = fresh;
  outputs.insert(outputs.end(), node.outputs.begin(), node.outputs.end());
  MLC_CHECK(types.size() == outputs.size(), "node {} ({}) has {} outputs, its op makes {}", node.name, node.op,
            outputs.size(), types.size());
  node.outputs = std::move(outputs);
  nodes.push_back(std::move(node));
  return fresh;
}

namespace {
std::string print_attr(const Attr& a) {
  return std::visit([](const auto& v) { return fmt::format("{}", v); }, a);
}
}  // namespace

std::string print(const Graph& g) {
  std::string out;
  static constexpr const char* kKinds[] = {"param", "temp", "input", "output", "kv"};
  for (size_t i = 0; i < g.values.size(); ++i) {
    const Value& v = g.values[i];
    if (v.kind == ValueKind::kTemp) continue;
    out += fmt::format("{} %{} {}: {}\n", kKinds[static_cast<int>(v.kind)], i, v.name, v.type.str());
  }
  size_t group = 0;
  for (size_t i = 0; i < g.nodes.size(); ++i) {
    const Node& n = g.nodes[i];
    if (group < g.groups.size() && g.groups[group].first == static_cast<int>(i)) {
      out += fmt::format("kernel {}:\n", group++);
    }
    std::vector<std::string> results;
    for (ValueId v : n.outputs) {
      results.push_back(fmt::format("%{}: {}", v, g.values[static_cast<size_t>(v)].type.str()));
    }
    out += fmt::format("  {} = {}(", fmt::join(results, ", "), n.op);
    for (size_t k = 0; k < n.inputs.size(); ++k) out += fmt::format("{}%{}", k ? ", " : "", n.inputs[k]);
    for (const auto& [key, value] : n.attrs) out += fmt::format(", {}={}", key, print_attr(value));
    out += fmt::format(")  // {}\n", n.name);
  }
  return out;
}

}  // namespace mlc::graph
