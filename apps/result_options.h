#pragma once

#include <boost/program_options.hpp>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "report/collect_results.h"

namespace localbatch {

/// What the commands that read results have in common: which ones.
struct ResultOptions {
  std::vector<std::string> sources, settings;
  std::string output;

  void add_to(boost::program_options::options_description& visible);

  /// Throws an InputError that names the command when there is no source.
  Results collect(std::string_view command) const;
};

/// Makes a folder for files that a command writes.
void make_folder(const std::filesystem::path& folder);

}  // namespace localbatch
