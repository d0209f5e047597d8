#include "doctor/output_check.h"

#include <fmt/core.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <system_error>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

fs::path nearest_that_exists(const fs::path& folder) {
  std::error_code error;
  fs::path path = fs::absolute(folder, error);
  while (!fs::exists(path, error) && path.has_relative_path()) path = path.parent_path();
  return path;
}

/// A file with a name that nobody else has: ranks in containers may agree in host and process.
class Probe {
 public:
  // Named like a file that was not finished, so that the next run removes it if nobody else does.
  explicit Probe(const fs::path& folder)
      : path_(folder / fmt::format(".localbatch-doctor-XXXXXX{}", kUnfinishedSuffix)) {
    const int file = ::mkstemps(path_.data(), static_cast<int>(kUnfinishedSuffix.size()));
    if (file < 0) fail_system("{}: open failed: {}", path_, std::strerror(errno));
    ::close(file);
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  ~Probe() {
    if (!removed_) ::unlink(path_.c_str());
  }

  const std::string& path() const { return path_; }

  void remove() {
    if (::unlink(path_.c_str()) != 0)
      fail_system("{}: unlink failed: {}", path_, std::strerror(errno));
    removed_ = true;
  }

 private:
  std::string path_;
  bool removed_ = false;
};

/// A network file system may create files and not rename them, or fail when they are synced.
void try_to_write(const fs::path& folder) {
  if (!fs::is_directory(folder)) fail_system("{}: is no folder", folder.string());
  Probe probe(folder);
  write_file_atomically(probe.path(), "written\n");
  probe.remove();
}

/// Leaves no trace, not even in the times of the folder.
void ask_for_permission(const fs::path& folder) {
  if (!fs::is_directory(folder)) fail_system("{}: is no folder", folder.string());
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    fail_system("{}: access failed: {}", folder.string(), std::strerror(errno));
}

/// Zero for a folder that does not exist.
std::uint64_t bytes_in(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (entry.is_regular_file(error)) bytes += entry.file_size(error);
  return bytes;
}

}  // namespace

OutputFacts look_at_output(const fs::path& folder, bool may_write) {
  OutputFacts found{.folder = folder, .nearest = nearest_that_exists(folder)};
  struct statvfs system {};
  if (::statvfs(found.nearest.c_str(), &system) == 0 && system.f_blocks > 0) {
    found.free_bytes = std::uint64_t{system.f_bavail} * system.f_frsize;
    found.has_files_left = system.f_files == 0 || system.f_favail > 0;
  }
  found.bytes_there = bytes_in(folder);
  try {
    may_write ? try_to_write(found.nearest) : ask_for_permission(found.nearest);
  } catch (const std::exception& error) {
    found.failure = error.what();
  }
  return found;
}

Diagnoses check_output(const OutputFacts& output, const Launch& launch) {
  constexpr std::uint64_t kMebibyte = 1 << 20, kLittle = 64 * kMebibyte;
  const auto refuse = [](std::string text) {
    return Diagnoses{{Severity::kRefusal, std::move(text), "--output DIR writes elsewhere"}};
  };
  if (!output.failure.empty())
    return refuse(fmt::format("{}: cannot be made: {}", output.folder.string(), output.failure));
  if (!output.has_files_left)
    return refuse(output.nearest.string() + ": the file system has no room for another file");
  if (!output.free_bytes)
    return {{.text = fmt::format("files can be written, replaced and removed in {}",
                                 output.nearest.string())}};
  const std::string space =
      fmt::format("{} are free in {}", size_text(*output.free_bytes), output.nearest.string());
  const OutputBytes bytes = launch.output_bytes.value_or(OutputBytes());
  const std::uint64_t room = *output.free_bytes + output.bytes_there;
  const std::uint64_t needed = static_cast<std::uint64_t>(launch.runs) * bytes.total();
  if (room < needed)
    return refuse(fmt::format(
        "{}, but {} {}: up to 3 checkpoints of {} at a time and {} of final parameters", space,
        launch.runs == 1 ? "the run needs" : counted(launch.runs, "run") + " at a time need",
        size_text(needed), size_text(bytes.checkpoint), size_text(bytes.final_parameters)));
  if (room < needed + kLittle)
    return {{Severity::kWarning, "only " + space, "--output DIR writes elsewhere"}};
  return {{.text = space + ", where files can be written, replaced and removed"}};
}

}  // namespace localbatch
