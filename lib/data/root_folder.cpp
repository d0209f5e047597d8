#include "data/root_folder.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/error.h"

namespace localbatch {

namespace fs = std::filesystem;

fs::path folder_of_root(const fs::path& root) {
  const char* const data = std::getenv("LOCALBATCH_DATA");
  if (data == nullptr || *data == '\0' || root.empty() || *root.begin() != "data") return root;
  return fs::path(data) / root.lexically_relative("data");
}

fs::path read_root(Options& options, std::string_view files) {
  const std::string meaning = fmt::format(
      "folder that holds {}; relative to the working directory, where the environment variable "
      "LOCALBATCH_DATA can name another folder for a leading data/ (sources: data/README.md)",
      files);
  return folder_of_root(options.text("root", {.fallback = {}, .meaning = meaning}));
}

void require_folder(const RootFolder& root) {
  std::error_code error;
  if (fs::is_directory(root.path, error)) return;
  if (root.path.string().starts_with("~"))
    fail_input("dataset root '{}': only a shell replaces ~, expected the path of a folder with {}",
               root.path.string(), root.files);
  const bool exists = fs::exists(root.path, error);
  const std::string advice = can_be_fetched(root.dataset)
                                 ? fmt::format("'data/fetch.sh {}' downloads them", root.dataset)
                                 : "sources: data/README.md";
  fail_input("dataset root '{}': {}, expected a folder with {} ({})",
             fs::absolute(root.path, error).string(), exists ? "not a folder" : "no such folder",
             root.files, advice);
}

bool can_be_fetched(std::string_view dataset) {
  static constexpr std::array<std::string_view, 5> kFetched{"cifar10", "cifar100", "mnist",
                                                            "fashion_mnist", "tinyshakespeare"};
  return std::ranges::find(kFetched, dataset) != kFetched.end();
}

}  // namespace localbatch
