#include "data/text_files.h"

#include <fnmatch.h>

#include <algorithm>
#include <system_error>

#include "core/error.h"
#include "core/files.h"

namespace localbatch {

namespace fs = std::filesystem;

std::vector<fs::path> matching_files(const fs::path& folder, const std::string& pattern) {
  const fs::path whole = folder / pattern;
  const std::string name = whole.filename().string();
  if (is_there(whole) || name.find_first_of("*?[") == std::string::npos) return {whole};
  const fs::path inner = whole.has_parent_path() ? whole.parent_path() : ".";
  std::error_code error;
  std::vector<fs::path> files;
  fs::directory_iterator entry(inner, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code unknown;  // what is neither a folder nor a file is refused when it is opened
    const std::string found = entry->path().filename().string();
    if (::fnmatch(name.c_str(), found.c_str(), FNM_PERIOD) == 0 && !entry->is_directory(unknown))
      files.push_back(entry->path());
  }
  if (error) fail_input("{}: cannot be read: {}", inner.string(), error.message());
  if (files.empty()) fail_input("{}: holds no file with a name like '{}'", inner.string(), name);
  std::ranges::sort(files, {}, [](const fs::path& file) { return file.string(); });
  return files;
}

TextStreams open_streams(const TextPatterns& patterns, const OpenTokens& open) {
  const std::vector<fs::path> test = matching_files(patterns.root, patterns.test);
  std::vector<fs::path> train = matching_files(patterns.root, patterns.train);
  std::erase_if(
      train, [&test](const fs::path& file) { return std::ranges::find(test, file) != test.end(); });
  if (train.empty())
    fail_input("dataset.train: '{}' names no file in {} that is not of the test text ('{}')",
               patterns.train, patterns.root.string(), patterns.test);
  TextStreams streams;
  for (const fs::path& file : train) streams.train.append(open(file));
  for (const fs::path& file : test) streams.test.append(open(file));
  return streams;
}

}  // namespace localbatch
