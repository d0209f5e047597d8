#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace localbatch {

// Where and when something ran, for records; "unknown" where the system does not tell. `root` is
// another root of the file system, for tests.
std::string host_name();
std::string cpu_model(const std::filesystem::path& root = "/");  ///< "AMD EPYC 9654", "Neoverse V1"
/// As Linux names them: "fpu vme ... avx512_bf16 ...".
std::string cpu_flags(const std::filesystem::path& root = "/");
std::string utc_now();  ///< "2026-01-31T12:00:00Z"

/// The numbers of the cores that this thread may use, ascending; empty where the system does not
/// tell.
std::vector<int> allowed_cores();

/// How many these are, at least 1.
int available_cores();

/// The cores that this process could use if a launcher or OpenMP had not bound it: those that the
/// container or the batch system leaves to it. At least allowed_cores().
std::vector<int> reachable_cores();

/// Memory for this process, in bytes; 0 where the system does not tell.
struct HostMemory {
  std::uint64_t limit = 0;  ///< of the machine, or of the container or batch job where that is less
  std::uint64_t available = 0;  ///< without taking it from other programs, as proc(5) estimates it
};

/// Reads /proc/meminfo and the limits of this process's control groups, version 1 or 2
/// (cgroups(7)). `root` is another root of the file system, for tests.
HostMemory host_memory(const std::filesystem::path& root = "/");

/// The sources and settings that the program was built from; the build writes them.
struct BuildInfo {
  std::string_view version;  ///< "0.1.0"
  std::string_view commit;  ///< git's hash, "-dirty" behind it when files had changed, or "unknown"
  std::string_view compiler;  ///< "GNU 12.2.0"
  std::string_view build_type;
  std::string_view march;  ///< instruction set that the compiler was allowed to use
};

BuildInfo build_info();

/// What the compiler was allowed to use of these: "sse4.2 popcnt avx avx2 fma", or "base".
std::string compiled_instruction_sets();

}  // namespace localbatch
