// The tensor dataflow graph of one engine step: values and nodes in execution order, with symbolic sizes.
//
//   Graph g;
//   ValueId x = g.add_value("x", {DType::f32(), {Dim::of(Sym::kTokens), 64}}, ValueKind::kTemp);
//   g.add_node({.name = "norm", .op = "rms_norm", .inputs = {x, w}, .outputs = {y}});
//
// Activations are rank 2, [rows, columns], f32; the column dimension is padded to a multiple of 16 (quant::kLanes) so
// that kernels store whole vectors, and the node's attributes give the logical width. Padding columns hold garbage.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/dtype.h"
#include "ir/func.h"
#include "quant/packed.h"

namespace mlc::graph {

// The sizes that a step fixes, in the order of artifact::Symbol.
enum class Sym : int { kTokens, kLogitRows, kBlockTable, kPages, kParts };
inline constexpr int kNumSyms = 5;
const char* sym_name(Sym s);  // "T", "R", "P", "N", "Q"

// In which steps a node runs, in the order of artifact::When.
enum class When : int { kAlways, kWholeAttention, kSplitAttention };

// A constant or a symbol.
struct Dim {
  int64_t value = 0;
  int symbol = -1;
  Dim(int64_t v) : value(v) {}  // NOLINT: a constant is a dimension
  static Dim of(Sym s) {
    Dim d(0);
    d.symbol = static_cast<int>(s);
    return d;
  }
  bool is_symbolic() const { return symbol >= 0; }
  bool operator==(const Dim&) const = default;
};

struct TensorType {
  DType dtype;
  std::vector<Dim> shape;
  bool operator==(const TensorType&) const = default;
  std::string str() const;  // "f32[T, 64]"
};

using ValueId = int;
enum class ValueKind { kParam, kTemp, kInput, kOutput, kKv };  // as artifact::BufferKind

struct Value {
  std::string name;
  TensorType type;
  ValueKind kind = ValueKind::kTemp;
  int param = -1;  // kParam: index into Graph::params
  int kv = -1;     // kKv: index of the KV buffer, 2 * layer (+ 1 for V)
};

using Attr = std::variant<int64_t, double, std::string>;
struct Node {
  std::string name;  // "layers.3.mlp.down_proj"
  std::string op;    // a name of op_table()
  std::map<std::string, Attr> attrs = {};
  std::vector<ValueId> inputs = {};
  std::vector<ValueId> outputs = {};  // includes buffers that exist already: KV, and what another node writes otherwise
  std::shared_ptr<const quant::PackedLinear> weight = {};  // for ops that read a weight matrix; its tensors are inputs
  When when = When::kAlways;

  int64_t int_attr(const std::string& key) const;
  double float_attr(const std::string& key) const;
};

// Nodes [first, last] that become one kernel: a main node and its elementwise tail.
struct Group {
  int first = 0, last = 0;
};

struct Graph {
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<quant::PackedTensor> params;
  std::vector<Group> groups;  // filled by fuse(); covers all nodes in order

  ValueId add_value(std::string name, TensorType type, ValueKind kind);
  // Adds the parameter once: a second call with the same name returns the first value.
  ValueId add_param(const quant::PackedTensor& tensor);
  ValueId add_kv(const std::string& name, TensorType type, int kv);
  // Infers the types of `num_outputs` new temp values by the op's shape rule and appends the node. A wrong use of an op
  // is our bug and fails a check that names the node. Values in node.outputs come behind them.
  std::vector<ValueId> add_op(Node node, const std::vector<std::string>& output_names);
};

std::string print(const Graph& g);

}  // namespace mlc::graph
