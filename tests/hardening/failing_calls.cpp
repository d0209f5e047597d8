// A library to be loaded before all others (LD_PRELOAD): one call that changes files below a folder
// fails, as on a full or broken disk. Environment variables say which one:
//   FAILING_FOLDER  the folder
//   FAILING_CALL    one of kCalls; none: no call fails
//   FAILING_NUMBER  the first one to fail, counted from 1
//   FAILING_ERROR   errno
//   FAILING_LASTS   when set, all later ones fail too
//   FAILING_REPORT  a file that gets the path of the first call that fails; when none is to fail, a
//   line for each of
//                   kCalls with the number of calls, when the process ends
// short_write: half of the bytes are written, and all later writes fail: the disk is full.

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

std::string_view setting(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

int number(const char* name) { return std::atoi(std::string(setting(name)).c_str()); }

bool is_below(std::string_view path) {
  const std::string_view folder = setting("FAILING_FOLDER");
  return !folder.empty() && path.starts_with(folder);
}

std::string path_of(int descriptor) {
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  return {path.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

constexpr std::array<std::string_view, 9> kCalls{
    "open", "write", "short_write", "fsync", "rename", "ftruncate", "remove", "close", "mkdir"};
std::array<std::atomic<int>, kCalls.size()> counts;

void report(std::string_view text) {
  const int file =
      real<int (*)(const char*, int, ...)>("open")(std::string(setting("FAILING_REPORT")).c_str(),
                                                   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return;
  const auto real_write = real<ssize_t (*)(int, const void*, std::size_t)>("write");
  [[maybe_unused]] const ssize_t written = real_write(file, text.data(), text.size());
  real<int (*)(int)>("close")(file);
}

/// Counts a call; whether it is to fail. Then errno is set.
bool fails(std::string_view call, std::string_view path) {
  if (!is_below(path)) return false;
  const auto place = std::ranges::find(kCalls, call) - kCalls.begin();
  const int first = number("FAILING_NUMBER"), now = ++counts[static_cast<std::size_t>(place)];
  if (call != setting("FAILING_CALL")) return false;
  if (now < first || (now > first && setting("FAILING_LASTS").empty())) return false;
  if (now == first) report(path);
  errno = number("FAILING_ERROR");
  return true;
}

struct AtEnd {
  ~AtEnd() {
    if (!setting("FAILING_CALL").empty()) return;
    std::string lines;
    for (std::size_t i = 0; i < kCalls.size(); ++i)
      lines += std::string(kCalls[i]) + ' ' + std::to_string(counts[i]) + '\n';
    report(lines);
  }
} at_end;

int open_as(const char* name, const char* path, int flags, mode_t mode) {
  if ((flags & O_ACCMODE) != O_RDONLY && fails("open", path)) return -1;
  return real<int (*)(const char*, int, ...)>(name)(path, flags, mode);
}

mode_t mode_of(int flags, std::va_list arguments) {
  return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_as("open", path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_as("open64", path, flags, mode);
}

ssize_t write(int descriptor, const void* bytes, std::size_t size) {
  static std::atomic<bool> was_short = false;
  const auto real_write = real<ssize_t (*)(int, const void*, std::size_t)>("write");
  const std::string path = path_of(descriptor);
  if (fails("write", path)) return -1;
  if (was_short && is_below(path)) {
    errno = number("FAILING_ERROR");
    return -1;
  }
  if (size > 1 && fails("short_write", path)) {
    was_short = true;
    size /= 2;
  }
  return real_write(descriptor, bytes, size);
}

/// The descriptor is free in any case, as on Linux.
int close(int descriptor) {
  const bool failed = fails("close", path_of(descriptor));
  const int error = errno, result = real<int (*)(int)>("close")(descriptor);
  if (!failed) return result;
  errno = error;
  return -1;
}

int mkdir(const char* path, mode_t mode) noexcept {
  return fails("mkdir", path) ? -1 : real<int (*)(const char*, mode_t)>("mkdir")(path, mode);
}

int fsync(int descriptor) {
  return fails("fsync", path_of(descriptor)) ? -1 : real<int (*)(int)>("fsync")(descriptor);
}

int ftruncate(int descriptor, off_t size) noexcept {
  return fails("ftruncate", path_of(descriptor))
             ? -1
             : real<int (*)(int, off_t)>("ftruncate")(descriptor, size);
}

int rename(const char* from, const char* to) noexcept {
  return fails("rename", to) ? -1 : real<int (*)(const char*, const char*)>("rename")(from, to);
}

int remove(const char* path) noexcept {
  return fails("remove", path) ? -1 : real<int (*)(const char*)>("remove")(path);
}

int unlink(const char* path) noexcept {
  return fails("remove", path) ? -1 : real<int (*)(const char*)>("unlink")(path);
}

}  // extern "C"
