#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/options.h"

namespace localbatch {

/// The folder that holds the files of a data set.
struct RootFolder {
  std::filesystem::path path;
  std::string_view files;         ///< what must lie in it, for messages
  std::string_view dataset = {};  ///< its name in experiment files, for advice in messages
};

/// Where the files of a `root` are looked for: relative to the working directory, but where the
/// environment variable LOCALBATCH_DATA is set, the folder that it names stands in for a leading
/// `data/`. So experiment files that say `data/...` find files that lie outside of the repository.
std::filesystem::path folder_of_root(const std::filesystem::path& root);

/// Reads `root`, required: the folder that holds `files`. The folder is not looked at before
/// require_folder(). The resolved settings keep the text as it was written.
std::filesystem::path read_root(Options& options, std::string_view files);

/// Throws an InputError that names the folder, what was expected in it and how to get it, when it
/// does not exist.
void require_folder(const RootFolder& root);

/// Whether data/fetch.sh downloads this data set.
bool can_be_fetched(std::string_view dataset);

}  // namespace localbatch
