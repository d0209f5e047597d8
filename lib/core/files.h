#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace localbatch {

/// Whether something has this name. A link that leads nowhere is there, for a reader to refuse.
bool is_there(const std::filesystem::path& path);

/// What a folder holds, sorted; nothing where there is no such folder. Throws a SystemError when it
/// cannot be read.
std::vector<std::filesystem::path> paths_in(const std::filesystem::path& folder);

/// open(2) for every file of ours: the descriptor, or -1 with errno. What is no regular file throws
/// an InputError that names the path: a FIFO would keep us waiting for ever, a device would take
/// anything and keep nothing.
int open_regular_file(const std::filesystem::path& path, int flags);

/// The bytes of a file. Throws an InputError that names the path when it cannot be read.
std::vector<unsigned char> read_file(const std::filesystem::path& path);

/// The bytes of a file as text. Throws as read_file() does.
std::string read_text(const std::filesystem::path& path);

/// Writes a whole file or nothing, as AtomicFile does.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// The same with the bytes of another file, which are not all in memory at a time.
void copy_file_atomically(const std::filesystem::path& from, const std::filesystem::path& to);

/// A file that is being written. A failing call is a SystemError that names the call and the path;
/// what a call has reported as written may still be lost in a crash of the machine until sync().
class OutputFile {
 public:
  /// Makes the file, or empties it.
  explicit OutputFile(const std::filesystem::path& path);
  /// Goes on behind the first `size` bytes of a file and cuts off the rest. An InputError when it
  /// is shorter.
  OutputFile(const std::filesystem::path& path, std::uint64_t size);
  ~OutputFile();
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void sync();
  void close();

  std::uint64_t size() const { return size_; }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// Gives a file another name, in place of the file that may have it. Throws a SystemError.
void rename_file(const std::filesystem::path& from, const std::filesystem::path& to);

/// Writes a folder to the disk, without which a new name in it may be lost. Throws a SystemError.
void sync_folder(const std::filesystem::path& folder);

/// Bytes that may still be written to the file system of a folder that exists.
std::uint64_t free_space(const std::filesystem::path& folder);

/// Suffix of files that are still being written. Leftovers can be deleted.
inline constexpr std::string_view kUnfinishedSuffix = ".new";

/// A file that appears whole or not at all: it is written beside its place, synced, then renamed
/// over what may be there, and the folder synced. After finish() it is on the disk; when the last
/// sync alone fails, it is whole and in its place, but may not outlast a crash of the machine.
/// Without finish() nothing is left of it. A link to a file stays one; what is there and no file is
/// an InputError. Failing calls are SystemErrors, as for OutputFile.
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

/// The bytes of a file, read as they are looked at. Throws an InputError that names the path when
/// there is no such file or it cannot be read.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

/// 64 bits of XXH3, the same on all machines: they tell data apart that differ by accident, not
/// data that somebody has made to collide.
std::uint64_t checksum(std::span<const std::byte> bytes);

inline std::uint64_t checksum(std::string_view text) {
  return checksum(std::as_bytes(std::span(text)));
}

}  // namespace localbatch
