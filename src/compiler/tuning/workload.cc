#include "compiler/tuning/workload.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "ir/text.h"
#include "ir/visit.h"

namespace mlc::compiler {
namespace {

// "matmul" with how its weights come in, or the last block, which gives the kernel's result.
std::string computation_of(const ir::PrimFunc& f) {
  bool dot = false, dequantize = false, matmul = false;
  std::string last = "none";
  ir::for_each_stmt(f.body, [&](const ir::Stmt& s) {
    const auto* b = ir::as<ir::Block>(s);
    if (b == nullptr) return;
    dot |= b->name == "dot";
    dequantize |= b->name == "dequantize";
    matmul |= b->name == "matmul";
    last = b->name;
  });
  if (!matmul) return last;
  return dot ? "dot" : dequantize ? "dequantize" : "float";
}

std::string weight_type(const ir::PrimFunc& f) {
  for (const ir::Buffer& b : f.buffers) {
    if (b->shape.size() >= 3) return b->dtype.str();
  }
  return "none";
}

std::string attr_text(const ir::PrimFunc& f, const std::string& name, const std::string& otherwise) {
  const auto it = f.attrs.find(name);
  if (it == f.attrs.end()) return otherwise;
  return std::visit([](const auto& v) { return fmt::format("{}", v); }, it->second);
}

}  // namespace

Workload workload_of(const ir::PrimFunc& unscheduled) {
  // The name has a serial number of the model in it; names inside follow from the ops, so that equal kernels of
  // different models have the same text.
  ir::PrimFunc f = unscheduled;
  f.name = "workload";
  return {sha256_hex(ir::print(f)).substr(0, 32),
          fmt::format("{} {} {} r{}", attr_text(f, "rule", "explicit"), computation_of(f), weight_type(f),
                      attr_text(f, "row_tile", "1"))};
}

std::string isa_of(const target::Target& t) {
  if (t.is_aarch64()) return t.has("i8mm") ? "aarch64-i8mm" : t.has("dotprod") ? "aarch64-dotprod" : "aarch64";
  if (!t.is_x86_64()) return std::string(target::kind_name(t.kind));
  if (t.has("avx512f")) return t.has("avx512vnni") ? "x86_64-avx512vnni" : "x86_64-avx512";
  if (t.has("avx2")) return t.has("avxvnni") ? "x86_64-avxvnni" : "x86_64-avx2";
  return "x86_64";
}

}  // namespace mlc::compiler
