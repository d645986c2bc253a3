// The commands that only a program with the compiler has. Their files: MLC_COMPILER_SOURCES_tools in
// the top CMakeLists.txt.
#include "tools/command.h"

namespace mlc::tools {

std::vector<Command> compiler_commands() {
  return {
      {"compile", "Compile a model into a shared library", setup_compile},
      {"bench", "Measure prefill and decode speed beside this machine's limits", setup_bench},
      {"tune", "Search for faster schedules on this machine; merge, show and export what was found", setup_tune},
      {"opt", "Take an IR file from one compilation stage to another", setup_opt},
  };
}

}  // namespace mlc::tools
