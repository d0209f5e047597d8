#include "data/root_folder.h"

#include "core/error.h"

namespace localbatch {

RootFolder read_root(Options& options, std::string_view files) {
  const std::string meaning = fmt::format(
      "folder that holds {}; relative to the working directory (sources: data/README.md)", files);
  return {options.text("root", {.fallback = {}, .meaning = meaning}), files};
}

void require_folder(const RootFolder& root) {
  std::error_code error;
  if (std::filesystem::is_directory(root.path, error)) return;
  const bool exists = std::filesystem::exists(root.path, error);
  fail_input("dataset root '{}': {}, expected a folder with {} (sources: data/README.md)",
             root.path.string(), exists ? "not a folder" : "no such folder", root.files);
}

}  // namespace localbatch
