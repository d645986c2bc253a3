// A program without the compiler: none of its commands.
#include "tools/command.h"

namespace mlc::tools {

std::vector<Command> compiler_commands() { return {}; }

}  // namespace mlc::tools
