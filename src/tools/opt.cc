// mlc_llm opt: an IR file from one stage to another.
#include <fmt/format.h>

#include <memory>

#include "base/file.h"
#include "codegen/llvm/emit.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "loader/compiler/compile_options.h"
#include "loader/model_dir.h"
#include "lower/pipeline.h"
#include "schedule/rules/rules.h"
#include "tools/command.h"

namespace mlc::tools {
namespace {

const std::vector<std::string> kStages = {"graph", "scheduled", "lowered", "llvm", "asm"};

int stage_index(const std::string& name) {
  return static_cast<int>(std::find(kStages.begin(), kStages.end(), name) - kStages.begin());
}

struct Options {
  loader::ModelOptions flags;
  std::string file, from = "graph", to = "lowered", output;
};

Result<std::string> run_stages(const Options& o) {
  MLC_TRY(std::string text, read_file(o.file));
  MLC_TRY(ir::Module module, ir::parse_module(text, o.file));
  MLC_TRY(target::Target target, loader::resolve_device(o.flags));
  const int from = stage_index(o.from), to = stage_index(o.to);
  if (to < from) return error("--to {} comes before --from {}", o.to, o.from);
  MLC_TRY_VOID(ir::verify(module, from == 0   ? ir::Level::kGraph
                                  : from == 1 ? ir::Level::kScheduled
                                              : ir::Level::kLowered));
  if (from <= 0 && to >= 1) {
    MLC_TRY(module, schedule::schedule_all(module, target));
  }
  if (from <= 1 && to >= 2) {
    MLC_TRY(module, lower::run(module, target));
  }
  if (o.to == "llvm") return codegen::emit_llvm_text(module, target, true);
  if (o.to == "asm") return codegen::emit_assembly(module, target);
  return ir::print(module);
}

}  // namespace

std::function<Result<int>()> setup_opt(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("file", o->file, "IR file (.tir), for example one that MLC_DUMP wrote")->required();
  app.add_option("--from", o->from, "The stage that the file is at: graph, scheduled, lowered")
      ->check(CLI::IsMember({"graph", "scheduled", "lowered"}))
      ->capture_default_str();
  app.add_option("--to", o->to, "The stage to print: graph, scheduled, lowered, llvm, asm")
      ->check(CLI::IsMember(kStages))
      ->capture_default_str();
  app.add_option("--target", o->flags.target, "A triple such as aarch64-linux-gnu; default: this machine");
  app.add_option("--mcpu", o->flags.mcpu, "A CPU by LLVM's name");
  app.add_option("-o,--output", o->output, "File to write; default: standard output");
  return [o]() -> Result<int> {
    MLC_TRY(std::string text, run_stages(*o));
    if (o->output.empty()) {
      fmt::print("{}", text);
      return 0;
    }
    MLC_TRY_VOID(write_file_atomic(o->output, text));
    return 0;
  };
}

}  // namespace mlc::tools
