#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/output_file.h"

namespace localbatch {

/// The bytes of a file. Throws an InputError that names the path when it cannot be read.
std::vector<unsigned char> read_file(const std::filesystem::path& path);

/// Writes a whole file or nothing: a temporary file beside it, synced, then renamed over it, and
/// the folder synced. When it returns, the file is on the disk; when the last sync alone fails, the
/// new file is whole and in its place, but may not outlast a crash of the machine. Throws a
/// SystemError that names the call and the path.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);
void write_file_atomically(const std::filesystem::path& path,
                           const std::function<void(OutputFile&)>& write);

}  // namespace localbatch
