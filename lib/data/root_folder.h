#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/options.h"

namespace localbatch {

/// The folder that holds the files of a data set, as an experiment file names it.
struct RootFolder {
  std::filesystem::path path;
  std::string_view files;  ///< what must lie in it, for messages
};

/// Reads `root`, required. The folder is not looked at before `require_folder`.
RootFolder read_root(Options& options, std::string_view files);

/// Throws an InputError that names the folder and what was expected in it when it does not exist.
void require_folder(const RootFolder& root);

}  // namespace localbatch
