// The mlc_llm program: finds the subcommand, gives each flag its environment form, prints errors as one line.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <exception>

#include "base/build_id.h"
#include "base/log.h"
#include "base/os.h"
#include "tools/command.h"
#include "tools/program.h"

namespace mlc::tools {

const std::vector<Command>& all_commands() {
  static const std::vector<Command> commands = [] {
    std::vector<Command> list = {
        {"chat", "Chat with a model in the terminal", setup_chat},
        {"serve", "Serve models over an OpenAI-compatible HTTP API", setup_serve},
        {"health", "Ask a server whether it can take requests; for health checks of containers", setup_health},
        {"convert_weight", "Quantize the weights of a Hugging Face model into an MLC model directory",
         setup_convert_weight},
        {"gen_config", "Write mlc-chat-config.json and copy the tokenizer", setup_gen_config},
    };
    for (Command& c : compiler_commands()) list.push_back(std::move(c));
    list.push_back({"export", "Write a model as a GGUF file", setup_export});
    list.push_back({"import", "Turn a llama2.c checkpoint into a Hugging Face directory", setup_import});
    list.push_back({"cache", "List or prune what is cached", setup_cache});
    list.push_back({"completion", "Print a shell completion script", setup_completion});
    return list;
  }();
  return commands;
}

namespace {

// "--prefill-chunk-size" of "serve" also reads $MLC_LLM_SERVE_PREFILL_CHUNK_SIZE, "--max-size" of "cache prune" reads
// $MLC_LLM_CACHE_PRUNE_MAX_SIZE.
void add_environment_forms(CLI::App& command, const std::string& parents = "") {
  for (CLI::Option* option : command.get_options()) {
    if (option->get_lnames().empty() || option->get_lnames()[0] == "help" || !option->get_envname().empty()) continue;
    std::string name = "MLC_LLM_" + parents + command.get_name() + "_" + option->get_lnames()[0];
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return c == '-' ? '_' : static_cast<char>(std::toupper(c)); });
    option->envname(name);
  }
  for (CLI::App* sub : command.get_subcommands([](CLI::App*) { return true; })) {
    add_environment_forms(*sub, parents + command.get_name() + "_");
  }
}

// One line, whatever the parser has to say, and where to read on.
std::string flag_error(const CLI::App* app, const CLI::Error& e) {
  std::string what = e.what();
  if (app->get_subcommands().empty() && !app->remaining().empty()) {
    what = fmt::format("there is no command or flag \"{}\"", app->remaining().front());
  }
  std::replace(what.begin(), what.end(), '\n', ' ');
  std::string command = "mlc_llm";
  for (const CLI::App* at = app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    command += " " + at->get_name();
  }
  return fmt::format("error: {} (`{} --help` lists the flags)\n", what, command);
}

int run(int argc, char** argv) {
  CLI::App app{"mlc_llm: compiles and serves language models on this machine"};
  app.set_version_flag("--version", fmt::format("mlc_llm {} ({})", version(), build_id().substr(0, 12)));
  app.require_subcommand(1);
  app.fallthrough(false);
  app.failure_message(flag_error);
  std::vector<std::pair<CLI::App*, std::function<Result<int>()>>> runnable;
  for (const Command& command : all_commands()) {
    CLI::App* sub = app.add_subcommand(command.name, command.help);
    auto action = command.setup(*sub);
    add_environment_forms(*sub);
    runnable.emplace_back(sub, std::move(action));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;  // --help and --version end here too
  }
  for (auto& [sub, action] : runnable) {
    if (!sub->parsed()) continue;
    Result<int> code = action();
    if (code) return *code;
    std::fflush(stdout);
    std::fprintf(stderr, "error: %s\n", code.error().message.c_str());
    return 1;
  }
  return 1;
}

}  // namespace
}  // namespace mlc::tools

int mlc_llm_main(int argc, char** argv) {
  mlc::log::init(mlc::log::Level::kWarn);
  mlc::os::prepare_terminal();
  try {
    return mlc::tools::run(argc, argv);
  } catch (const std::exception& e) {
    // A third-party exception that no wrapper caught, or memory that ran out.
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
  }
}
