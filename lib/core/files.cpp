#include "core/files.h"

#include <unistd.h>

#include <fstream>
#include <system_error>

#include "core/error.h"
#include "core/output_file.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

/// Removes a file that is not whole, unless it has been renamed.
class Temporary {
 public:
  explicit Temporary(fs::path path) : path_(std::move(path)) {}
  ~Temporary() {
    if (!renamed_) ::unlink(path_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  void rename_to(const fs::path& target) {
    rename_file(path_, target);
    renamed_ = true;
  }

 private:
  fs::path path_;
  bool renamed_ = false;
};

}  // namespace

std::vector<unsigned char> read_file(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) fail_input("{}: no such file", path.string());
  if (!fs::is_regular_file(path, error)) fail_input("{}: not a regular file", path.string());
  std::ifstream stream(path, std::ios::binary);
  std::vector<unsigned char> bytes(fs::file_size(path, error));
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!stream) fail_input("{}: cannot be read", path.string());
  return bytes;
}

void write_file_atomically(const fs::path& path, const std::function<void(OutputFile&)>& write) {
  const fs::path beside = path.string() + ".new";
  OutputFile file(beside);
  Temporary temporary(beside);
  write(file);
  file.sync();
  file.close();
  temporary.rename_to(path);
  sync_folder(path.has_parent_path() ? path.parent_path() : ".");
}

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  write_file_atomically(path, [=](OutputFile& file) { file.write(bytes); });
}

}  // namespace localbatch
