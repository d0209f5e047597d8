#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

namespace localbatch {

/// Whether `bytes` start as a gzip file does.
bool is_gzip(std::span<const unsigned char> bytes);

/// What a gzip file of one member holds. Throws an InputError that names `path` when it is damaged,
/// cut short, followed by other bytes, has 4 GiB or more, or expands to more than `limit` bytes.
std::vector<unsigned char> gunzip(std::span<const unsigned char> bytes,
                                  const std::filesystem::path& path, std::size_t limit);

}  // namespace localbatch
