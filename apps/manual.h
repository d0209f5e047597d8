#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "command_line.h"

namespace localbatch {

/// A subcommand as the man page and the completions show it.
struct CommandPage {
  std::string name, summary;
  CommandHelp help;
};

/// What a person can type without a subcommand.
struct MainOption {
  std::string_view name, value, meaning;
};

/// The whole command line.
struct Manual {
  std::string_view title;
  std::vector<MainOption> options;
  std::vector<CommandPage> commands;
  std::string_view exit_statuses;
};

/// localbatch(1) in the macros of man. It holds no date: the same program makes the same bytes.
std::string man_page(const Manual& manual);

}  // namespace localbatch
