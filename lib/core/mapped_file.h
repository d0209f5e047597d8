#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace localbatch {

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

}  // namespace localbatch
