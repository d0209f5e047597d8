#include "core/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  ~FileDescriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

/// Removes a file that is not whole, unless it has been renamed.
class Temporary {
 public:
  explicit Temporary(fs::path path) : path_(std::move(path)) {}
  ~Temporary() {
    if (!renamed_) ::unlink(path_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  bool rename_to(const fs::path& target) {
    renamed_ = std::rename(path_.c_str(), target.c_str()) == 0;
    return renamed_;
  }

 private:
  fs::path path_;
  bool renamed_ = false;
};

[[noreturn]] void fail_call(std::string_view call, const fs::path& path) {
  fail_system("{}: {} failed: {}", path.string(), call, std::strerror(errno));
}

/// A rename lasts only when the folder that lists the file is on the disk too.
void sync_folder(const fs::path& folder) {
  const FileDescriptor listing(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (listing.get() < 0) fail_call("open", folder);
  // Some network file systems know no such thing for folders.
  if (::fsync(listing.get()) != 0 && errno != EINVAL) fail_call("fsync", folder);
}

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

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  const fs::path beside = path.string() + ".new";
  FileDescriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (file.get() < 0) fail_call("open", beside);
  Temporary temporary(beside);
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_call("write", beside);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.get()) != 0) fail_call("fsync", beside);
  if (::close(file.release()) != 0) fail_call("close", beside);
  if (!temporary.rename_to(path)) fail_call("rename", path);
  sync_folder(path.has_parent_path() ? path.parent_path() : ".");
}

}  // namespace localbatch
