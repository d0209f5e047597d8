#include "core/machine.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

namespace localbatch {

namespace {

namespace fs = std::filesystem;

/// The value of a field of the first core in /proc/cpuinfo; empty where there is none.
std::string cpuinfo(const fs::path& root, std::string_view field) {
  std::ifstream lines(root / "proc/cpuinfo");
  for (std::string line; std::getline(lines, line);)
    if (const std::size_t colon = line.find(": ");
        line.starts_with(field) && colon != std::string::npos)
      return line.substr(colon + 2);
  return {};
}

/// Linux shows numbers for processors of Arm's architecture; these are of the designs on clusters
/// (MIDR_EL1 in their manuals).
std::string arm_model(const std::string& implementer, const std::string& part) {
  struct Design {
    std::string_view implementer, part, name;
  };
  static constexpr std::array<Design, 8> kDesigns{{{"0x41", "0xd08", "Cortex-A72"},
                                                   {"0x41", "0xd0c", "Neoverse N1"},
                                                   {"0x41", "0xd40", "Neoverse V1"},
                                                   {"0x41", "0xd49", "Neoverse N2"},
                                                   {"0x41", "0xd4f", "Neoverse V2"},
                                                   {"0x43", "0x0af", "ThunderX2"},
                                                   {"0x46", "0x001", "A64FX"},
                                                   {"0xc0", "0xac3", "Ampere-1"}}};
  for (const Design& design : kDesigns)
    if (design.implementer == implementer && design.part == part) return std::string(design.name);
  return "Arm, implementer " + implementer + ", part " + part;
}

/// A set of cores as the kernel reads it: bit after bit, for more cores than any machine has.
constexpr int kMostCores = 1 << 16;
using CoreSet = std::vector<cpu_set_t>;

CoreSet no_cores() { return CoreSet(kMostCores / CPU_SETSIZE); }

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

std::string cpu_model(const fs::path& root) {
  if (const std::string model = cpuinfo(root, "model name"); !model.empty()) return model;
  const std::string part = cpuinfo(root, "CPU part");
  return part.empty() ? "unknown" : arm_model(cpuinfo(root, "CPU implementer"), part);
}

std::string cpu_flags(const fs::path& root) {
  for (const std::string_view field : {"flags", "Features"})
    if (const std::string flags = cpuinfo(root, field); !flags.empty()) return flags;
  return "unknown";
}

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), length};
}

std::vector<int> allowed_cores() {
  CoreSet set = no_cores();
  const std::size_t bytes = set.size() * sizeof(cpu_set_t);
  if (::sched_getaffinity(0, bytes, set.data()) != 0) return {};
  std::vector<int> cores;
  for (int core = 0; core < kMostCores; ++core)
    if (CPU_ISSET_S(core, bytes, set.data())) cores.push_back(core);
  return cores;
}

int available_cores() {
  const std::vector<int> cores = allowed_cores();
  // What the library counts are the cores of the machine, whatever a batch system leaves of them.
  if (cores.empty()) return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return static_cast<int>(cores.size());
}

std::vector<int> reachable_cores() {
  std::vector<int> cores;
  // A thread that asks for all cores gets those that exist and that it may have.
  std::jthread([&cores] {
    CoreSet all = no_cores();
    const std::size_t bytes = all.size() * sizeof(cpu_set_t);
    for (int core = 0; core < kMostCores; ++core) CPU_SET_S(core, bytes, all.data());
    ::sched_setaffinity(0, bytes, all.data());
    cores = allowed_cores();
  }).join();
  return cores;
}

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

std::string compiled_instruction_sets() {
  std::string all;
#define LOCALBATCH_USES(name) all += all.empty() ? name : " " name;
#include "core/instruction_sets.h"
  return all.empty() ? "base" : all;
}

}  // namespace localbatch
