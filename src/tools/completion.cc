// mlc_llm completion bash | zsh | fish: scripts made from the flags that the program really has.
#include <fmt/format.h>

#include <memory>

#include "tools/command.h"

namespace mlc::tools {
namespace {

struct Words {
  std::string command, help;
  std::vector<std::string> flags;
};

std::vector<Words> collect() {
  std::vector<Words> all;
  for (const Command& command : all_commands()) {
    CLI::App app(command.help, command.name);
    if (command.name == "completion") {
      all.push_back({command.name, command.help, {"bash", "zsh", "fish"}});
      continue;
    }
    command.setup(app);
    Words words{command.name, command.help, {}};
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) words.flags.push_back("--" + name);
    }
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
      words.flags.push_back(sub->get_name());
    }
    all.push_back(std::move(words));
  }
  return all;
}

std::string join(const std::vector<std::string>& words) {
  std::string s;
  for (const std::string& w : words) s += (s.empty() ? "" : " ") + w;
  return s;
}

std::string bash_script(const std::vector<Words>& all) {
  std::string commands, cases;
  for (const Words& w : all) {
    commands += (commands.empty() ? "" : " ") + w.command;
    cases += fmt::format("    {}) words=\"{}\" ;;\n", w.command, join(w.flags));
  }
  return fmt::format(R"(_mlc_llm() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} words
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{} --help --version" -- "$cur"))
    return
  fi
  case ${{COMP_WORDS[1]}} in
{}  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [[ $cur == -* ]] || COMPREPLY+=($(compgen -f -- "$cur"))
}}
complete -o filenames -F _mlc_llm mlc_llm
)",
                     commands, cases);
}

std::string fish_script(const std::vector<Words>& all) {
  std::string out = "complete -c mlc_llm -n __fish_use_subcommand -f\n";
  for (const Words& w : all) {
    out += fmt::format("complete -c mlc_llm -n __fish_use_subcommand -f -a {} -d '{}'\n", w.command, w.help);
    for (const std::string& flag : w.flags) {
      const bool option = flag.rfind("--", 0) == 0;
      out += fmt::format("complete -c mlc_llm -n '__fish_seen_subcommand_from {}' {} {}\n", w.command,
                         option ? "-l" : "-a", option ? flag.substr(2) : flag);
    }
  }
  return out;
}

}  // namespace

std::function<Result<int>()> setup_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  app.add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  return [shell]() -> Result<int> {
    const std::vector<Words> all = collect();
    if (*shell == "fish") {
      fmt::print("{}", fish_script(all));
    } else {
      // zsh runs bash's form through bashcompinit.
      fmt::print("{}{}", *shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : "", bash_script(all));
    }
    return 0;
  };
}

}  // namespace mlc::tools
