#include "core/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace localbatch {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

std::vector<fs::path> paths_in(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory)
    return paths;
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    paths.push_back(entry->path());
  if (error) fail_system("{}: cannot be read: {}", folder.string(), error.message());
  std::ranges::sort(paths);
  return paths;
}

int open_regular_file(const fs::path& path, int flags) {
  // Without O_NONBLOCK a FIFO that nobody writes to would not even open; with it, one that nobody
  // reads from fails.
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, 0644);
  struct stat facts = {};
  if (descriptor < 0 && errno != ENXIO) return descriptor;
  if (descriptor >= 0 && ::fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode))
    return descriptor;
  if (descriptor >= 0) ::close(descriptor);
  fail_input("{}: not a regular file", path.string());
}

namespace {

[[noreturn]] void fail_reading(const fs::path& path) {
  if (errno == ENOENT) fail_input("{}: no such file", path.string());
  fail_input("{}: cannot be read: {}", path.string(), std::strerror(errno));
}

}  // namespace

std::vector<unsigned char> read_file(const fs::path& path) {
  const int descriptor = open_regular_file(path, O_RDONLY);
  if (descriptor < 0) fail_reading(path);
  struct stat facts = {};
  check(::fstat(descriptor, &facts) == 0, "an open file has a size");
  std::vector<unsigned char> bytes(static_cast<std::size_t>(facts.st_size));
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t count = ::read(descriptor, bytes.data() + size, bytes.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    size += static_cast<std::size_t>(count);
  }
  ::close(descriptor);
  if (size < bytes.size()) fail_input("{}: cannot be read", path.string());
  return bytes;
}

std::string read_text(const fs::path& path) {
  const std::vector<unsigned char> bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.output().write(bytes);
  file.finish();
}

void copy_file_atomically(const fs::path& from, const fs::path& to) {
  const MappedFile bytes(from);
  AtomicFile copy(to);
  copy.output().write(bytes.bytes());
  copy.finish();
}

namespace {

/// A link stays one: what it leads to is replaced. A device or a FIFO is not: as root even
/// /dev/null could be. A folder cannot be, which the renaming will tell.
fs::path place_of(const fs::path& path) {
  std::error_code error;
  if (fs::exists(path, error) && fs::is_other(fs::status(path, error)))
    fail_input("{}: not a regular file", path.string());
  return fs::is_symlink(path, error) ? fs::weakly_canonical(path, error) : path;
}

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& path)
    : path_(place_of(path)),
      beside_(path_.string() + std::string(kUnfinishedSuffix)),
      output_(beside_) {}

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

namespace {

[[noreturn]] void fail_call(std::string_view call, const fs::path& path) {
  fail_system("{}: {} failed: {}", path.string(), call, std::strerror(errno));
}

}  // namespace

OutputFile::OutputFile(const fs::path& path)
    : path_(path), descriptor_(open_regular_file(path, O_WRONLY | O_CREAT | O_TRUNC)) {
  if (descriptor_ < 0) fail_call("open", path_);
}

OutputFile::OutputFile(const fs::path& path, std::uint64_t size)
    : path_(path), descriptor_(open_regular_file(path, O_WRONLY)), size_(size) {
  if (descriptor_ < 0) fail_call("open", path_);
  struct stat facts = {};
  if (::fstat(descriptor_, &facts) != 0) fail_call("fstat", path_);
  if (static_cast<std::uint64_t>(facts.st_size) < size)
    fail_input("{}: found {} bytes, expected at least {}: somebody has cut it short", path.string(),
               facts.st_size, size);
  if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) fail_call("ftruncate", path_);
  if (::lseek(descriptor_, 0, SEEK_END) < 0) fail_call("lseek", path_);
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_) {}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_call("write", path_);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    size_ += static_cast<std::uint64_t>(written);
  }
}

void OutputFile::sync() {
  if (::fsync(descriptor_) != 0) fail_call("fsync", path_);
}

void OutputFile::close() {
  if (::close(std::exchange(descriptor_, -1)) != 0) fail_call("close", path_);
}

void rename_file(const fs::path& from, const fs::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) fail_call("rename", to);
}

void sync_folder(const fs::path& folder) {
  const int listing = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listing < 0) fail_call("open", folder);
  // Some network file systems cannot sync folders.
  const bool failed = ::fsync(listing) != 0 && errno != EINVAL;
  const int error = errno;
  ::close(listing);
  errno = error;
  if (failed) fail_call("fsync", folder);
}

std::uint64_t free_space(const fs::path& folder) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error)
    fail_system("{}: free space cannot be found out: {}", folder.string(), error.message());
  return space.available;
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  const int descriptor = open_regular_file(path, O_RDONLY);
  if (descriptor < 0) fail_reading(path);
  struct stat facts = {};
  const bool known = ::fstat(descriptor, &facts) == 0;
  const std::size_t size = known ? static_cast<std::size_t>(facts.st_size) : 0;
  void* const data =
      size > 0 ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0) : nullptr;
  ::close(descriptor);
  if (!known || data == MAP_FAILED) fail_input("{}: cannot be read", path.string());
  bytes_ = {static_cast<const std::byte*>(data), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

std::uint64_t checksum(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace localbatch
