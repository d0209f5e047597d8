#pragma once

#include <filesystem>
#include <string_view>

#include "core/output_file.h"

namespace localbatch {

/// What names of files end with that are not whole yet. Nobody needs one that is found.
inline constexpr std::string_view kUnfinishedSuffix = ".new";

/// A file that appears whole or not at all: it is written beside its place, synced, then renamed
/// over what may be there, and the folder synced. After finish() it is on the disk; when the last
/// sync alone fails, it is whole and in its place, but may not outlast a crash of the machine.
/// Without finish() nothing is left of it. Failing calls are SystemErrors as of OutputFile.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  OutputFile& output() { return output_; }
  void finish();

 private:
  std::filesystem::path path_, beside_;
  OutputFile output_;
  bool finished_ = false;
};

}  // namespace localbatch
