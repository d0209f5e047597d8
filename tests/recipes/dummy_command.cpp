#include <fmt/core.h>

#include "commands.h"

namespace localbatch {

int dummy_command(std::span<const std::string> arguments) {
  fmt::print("a dummy got {} arguments\n", arguments.size());
  return kSuccess;
}

}  // namespace localbatch
