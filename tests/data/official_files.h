#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace localbatch {

/// Folders that may hold the files of published data sets: the one that LOCALBATCH_DATA names, else
/// `data` in the source tree and `shared/data` beside it.
inline std::vector<std::filesystem::path> data_folders() {
  const char* const named = std::getenv("LOCALBATCH_DATA");
  if (named != nullptr && *named != '\0') return {named};
  const std::filesystem::path source = LOCALBATCH_SOURCE_DIR;
  return {source / "data", source.parent_path() / "shared" / "data"};
}

/// The folder `dataset` of the first of them that has `file` in it, or nothing: the test is then to
/// say so with `not_found` and to leave.
inline std::optional<std::filesystem::path> official_files(const std::string& dataset,
                                                           const std::string& file) {
  for (const std::filesystem::path& folder : data_folders())
    if (std::filesystem::exists(folder / dataset / file)) return folder / dataset;
  return std::nullopt;
}

inline std::string not_found(const std::string& dataset, const std::string& file) {
  std::string text = "skipped: no " + dataset + "/" + file + " in";
  for (const std::filesystem::path& folder : data_folders()) text += " " + folder.string();
  return text;
}

}  // namespace localbatch
