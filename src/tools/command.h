// The subcommands of mlc_llm: one file each, one line in all_commands(). A command adds its flags to a CLI11 app and
// runs; what it returns is printed by main as one line ("error: …", exit code 1).
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace mlc::tools {

struct Command {
  std::string name;
  std::string help;
  // Adds flags to `app` and returns what to run when the command was given; the result is the exit code.
  std::function<Result<int>()> (*setup)(CLI::App& app);
};
const std::vector<Command>& all_commands();
// Those that need the compiler (MLC_COMPILER=OFF: none).
std::vector<Command> compiler_commands();

// A check of a whole number whose message names the limit.
inline CLI::Validator at_least(int64_t low) {
  return CLI::Validator(
      [low](std::string& text) {
        int64_t value = 0;
        if (CLI::detail::lexical_cast(text, value) && value >= low) return std::string();
        return "found " + text + ", expected a whole number, at least " + std::to_string(low);
      },
      "INT >= " + std::to_string(low));
}

std::function<Result<int>()> setup_chat(CLI::App& app);
std::function<Result<int>()> setup_serve(CLI::App& app);
std::function<Result<int>()> setup_health(CLI::App& app);
std::function<Result<int>()> setup_compile(CLI::App& app);
std::function<Result<int>()> setup_convert_weight(CLI::App& app);
std::function<Result<int>()> setup_gen_config(CLI::App& app);
std::function<Result<int>()> setup_bench(CLI::App& app);
std::function<Result<int>()> setup_tune(CLI::App& app);
std::function<Result<int>()> setup_export(CLI::App& app);
std::function<Result<int>()> setup_opt(CLI::App& app);
std::function<Result<int>()> setup_cache(CLI::App& app);
std::function<Result<int>()> setup_import(CLI::App& app);
std::function<Result<int>()> setup_completion(CLI::App& app);

}  // namespace mlc::tools
