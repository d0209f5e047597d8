#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace localbatch {

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

/// A new name lasts only when the folder that lists it is on the disk too. Throws a SystemError.
void sync_folder(const std::filesystem::path& folder);

/// Bytes that may still be written to the file system of a folder that exists.
std::uint64_t free_space(const std::filesystem::path& folder);

}  // namespace localbatch
