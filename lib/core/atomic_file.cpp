#include "core/atomic_file.h"

#include <unistd.h>

#include <string>

namespace localbatch {

AtomicFile::AtomicFile(const std::filesystem::path& path)
    : path_(path), beside_(path.string() + std::string(kUnfinishedSuffix)), output_(beside_) {}

AtomicFile::~AtomicFile() {
  if (!finished_) ::unlink(beside_.c_str());
}

void AtomicFile::finish() {
  output_.sync();
  output_.close();
  rename_file(beside_, path_);
  finished_ = true;
  sync_folder(path_.has_parent_path() ? path_.parent_path() : ".");
}

}  // namespace localbatch
