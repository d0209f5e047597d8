#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace localbatch {

/// 64 bits of XXH3: tells arrays apart that differ by accident, not by intent. The same on all
/// machines.
std::uint64_t checksum(std::span<const std::byte> bytes);

/// FNV-1a: tells texts apart that differ by accident, not by intent.
inline std::uint64_t content_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace localbatch
