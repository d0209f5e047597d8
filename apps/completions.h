#pragma once

#include <string>

#include "manual.h"

namespace localbatch {

// Scripts that let a shell complete commands, options, their values, and files.
std::string bash_completion(const Manual& manual);
std::string zsh_completion(const Manual& manual);

}  // namespace localbatch
