#include "core/host_memory.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace localbatch {

namespace fs = std::filesystem;

namespace {

std::uint64_t meminfo_bytes(const fs::path& root, std::string_view key) {
  std::ifstream lines(root / "proc/meminfo");
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    std::istringstream fields(line.substr(key.size()));
    std::uint64_t kibibytes = 0;
    fields >> kibibytes;
    return kibibytes * 1024;
  }
  return 0;
}

/// Applies the limits in a group and in those around it. A container may show its process the name
/// of a group that it does not see; what it sees begins further up.
void apply_limits(const fs::path& hierarchy, const std::string& group, const char* file,
                  std::uint64_t& limit) {
  fs::path relative = fs::path(group).relative_path();
  while (true) {
    std::ifstream text(hierarchy / relative / file);
    std::uint64_t bytes = 0;
    if (text >> bytes) limit = std::min(limit, bytes);  // "max" is no number and no limit
    if (relative.empty()) return;
    relative = relative.parent_path();
  }
}

}  // namespace

HostMemory host_memory(const fs::path& root) {
  HostMemory memory{.limit = meminfo_bytes(root, "MemTotal:"),
                    .available = meminfo_bytes(root, "MemAvailable:")};
  const fs::path groups = root / "sys/fs/cgroup";
  std::ifstream lines(root / "proc/self/cgroup");
  for (std::string line;
       std::getline(lines, line);) {  // "4:memory:/job" or, in version 2, "0::/job"
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string kind = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (kind.empty()) apply_limits(groups, group, "memory.max", memory.limit);
    if (kind == "memory")
      apply_limits(groups / "memory", group, "memory.limit_in_bytes", memory.limit);
  }
  memory.available = std::min(memory.available, memory.limit);
  return memory;
}

}  // namespace localbatch
