#include "graph/op.h"

#include "graph/ops/ops.h"

namespace mlc::graph {

const std::vector<OpDef>& op_table() {
  static const std::vector<OpDef> table = {
      ops::embedding(),
      ops::rms_norm(),
      ops::quantize_rows(),
      ops::silu_quantize(),
      ops::linear(),
      ops::dequantize(),
      ops::matmul(),
      ops::matmul_int8(),
      ops::bf16_rows(),
      ops::matmul_bf16(),
      ops::add(),
      ops::add_bias(),
      ops::silu_mul(),
      ops::rope_append(),
      ops::attention(),
      ops::attention_parts(),
      ops::attention_combine(),
      ops::take_rows(),
  };
  return table;
}

const OpDef& find_op(const std::string& name) {
  for (const OpDef& op : op_table()) {
    if (op.name == name) return op;
  }
  MLC_UNREACHABLE("no op named {}", name);
}

std::vector<ir::IterSpec> EmitContext::row_iters(std::vector<ir::IterSpec> more) const {
  std::vector<ir::IterSpec> iters;
  const ir::Expr count = syms[static_cast<int>(rows)];
  if (row_tile == 1) {
    iters.push_back({"m", count});
  } else {
    iters.push_back({"mt", ir::floordiv(count + (row_tile - 1), row_tile)});
    iters.push_back({"mi", row_tile});
  }
  for (ir::IterSpec& i : more) iters.push_back(std::move(i));
  return iters;
}

ir::Expr EmitContext::row(const std::vector<ir::Var>& vars) const {
  if (row_tile == 1) return vars[0];
  return ir::Expr(vars[0]) * row_tile + vars[1];
}

ir::Expr EmitContext::extent(const Dim& d) const {
  if (!d.is_symbolic()) return d.value;
  const ir::Expr size = syms[d.symbol];
  if (row_tile == 1) return size;
  return ir::floordiv(size + (row_tile - 1), row_tile) * row_tile;
}

}  // namespace mlc::graph
