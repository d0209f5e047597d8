#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/results.h"

namespace localbatch {

class CommandLine;

/// The options by which `table`, `plot` and `report` choose results.
struct ResultOptions {
  std::vector<std::string> sources, settings;
  std::string output = "results";

  void declare(CommandLine& line);

  /// Throws an InputError that names the command when there is no source.
  Results collect(std::string_view command) const;
};

}  // namespace localbatch
