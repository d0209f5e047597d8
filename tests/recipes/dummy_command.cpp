#include "commands.h"

namespace localbatch {

int dummy_command(std::span<const std::string> arguments) {
  print("a dummy got {} arguments\n", arguments.size());
  return kSuccess;
}

}  // namespace localbatch
