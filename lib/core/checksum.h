#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace localbatch {

/// 64 bits of XXH3: tells arrays apart that differ by accident, not by intent. The same on all
/// machines.
std::uint64_t checksum(std::span<const std::byte> bytes);

}  // namespace localbatch
