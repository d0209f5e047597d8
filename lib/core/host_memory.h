#pragma once

#include <cstdint>
#include <filesystem>

namespace localbatch {

/// Memory for this process, in bytes; 0 where the system does not tell.
struct HostMemory {
  std::uint64_t limit = 0;  ///< of the machine, or of the container or batch job where that is less
  std::uint64_t available = 0;  ///< without taking it from other programs, as proc(5) estimates it
};

/// Reads /proc/meminfo and the limits of this process's control groups, version 1 or 2
/// (cgroups(7)). `root` is another root of the file system, for tests.
HostMemory host_memory(const std::filesystem::path& root = "/");

}  // namespace localbatch
