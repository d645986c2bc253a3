#include "tools/command.h"

namespace mlc::tools {

std::vector<Command> compiler_commands() { return {}; }

}  // namespace mlc::tools
