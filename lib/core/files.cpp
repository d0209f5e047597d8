#include "core/files.h"

#include <fstream>
#include <system_error>

#include "core/atomic_file.h"
#include "core/error.h"

namespace localbatch {

namespace fs = std::filesystem;

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

std::string read_text(const fs::path& path) {
  const std::vector<unsigned char> bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.output().write(bytes);
  file.finish();
}

}  // namespace localbatch
