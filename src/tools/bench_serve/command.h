// `mlc_llm bench serve`, a subcommand of bench.
#pragma once

#include "tools/command.h"

namespace mlc::tools {

std::function<Result<int>()> setup_bench_serve(CLI::App& app);

}  // namespace mlc::tools
