#pragma once

#include <cstdint>
#include <string_view>

namespace localbatch {

/// FNV-1a: tells texts apart that differ by accident, not by intent.
inline std::uint64_t content_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace localbatch
