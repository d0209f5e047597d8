#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace localbatch {

/// 64 bits of XXH3, the same on all machines: they tell data apart that differ by accident, not
/// data that somebody has made to collide.
std::uint64_t checksum(std::span<const std::byte> bytes);

inline std::uint64_t checksum(std::string_view text) {
  return checksum(std::as_bytes(std::span(text)));
}

}  // namespace localbatch
