#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/make_node.h"
#include "core/options.h"
#include "data/dataset.h"

namespace localbatch {

/// A new empty folder that goes away with this object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "localbatch-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) fail_system("mkdtemp failed: {}", pattern);
    path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path write(const std::string& name,
                              const std::vector<unsigned char>& bytes) const {
    std::ofstream file(path_ / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// What the InputError of `action` says, or a line that no test expects.
template <class Action>
std::string input_error(const Action& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "(no InputError)";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A mapping of scalars as an experiment file would hold it.
inline Node mapping(const std::vector<std::pair<std::string, std::string>>& keys) {
  std::vector<std::pair<std::string, Node>> entries;
  entries.reserve(keys.size());
  for (const auto& [key, value] : keys) entries.emplace_back(key, scalar(value));
  return map(entries);
}

/// Makes the data set that `keys` describe and loads it.
inline Dataset load(const std::vector<std::pair<std::string, std::string>>& keys) {
  const Node node = mapping(keys);
  Options options(node);
  const DatasetLoader loader = make_part(dataset_table(), options, "", "the data set");
  options.finish();
  return loader();
}

}  // namespace localbatch
