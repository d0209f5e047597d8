#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace localbatch {

/// The bytes of a file. Throws an InputError that names the path when it cannot be read.
std::vector<unsigned char> read_file(const std::filesystem::path& path);

/// The same as text.
std::string read_text(const std::filesystem::path& path);

/// Writes a whole file or nothing, as AtomicFile does.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

}  // namespace localbatch
