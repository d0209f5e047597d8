#include "core/machine.h"

#include <doctest/doctest.h>
#include <sched.h>

#include <algorithm>

#include "data/fixtures.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

void write_system_file(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

/// A machine of 16 GiB, 10 of them free.
void write_meminfo(const fs::path& root) {
  write_system_file(root / "proc/meminfo",
                    "MemTotal:       16777216 kB\nMemFree:          123456 kB\n"
                    "MemAvailable:   10485760 kB\n");
}

constexpr std::uint64_t kGibibyte = std::uint64_t{1} << 30;

}  // namespace

TEST_CASE("a binding takes cores away that stay reachable, and leaves the thread bound") {
  const std::vector<int> before = allowed_cores();
  REQUIRE_FALSE(before.empty());
  CHECK(static_cast<int>(before.size()) == available_cores());
  CHECK(std::ranges::is_sorted(before));
  cpu_set_t all, one;
  REQUIRE(::sched_getaffinity(0, sizeof all, &all) == 0);
  CPU_ZERO(&one);
  CPU_SET(before.back(), &one);
  REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(allowed_cores() == std::vector{before.back()});
  CHECK(available_cores() == 1);
  CHECK(std::ranges::includes(reachable_cores(), before));
  CHECK(allowed_cores() == std::vector{before.back()});
  CHECK(::sched_setaffinity(0, sizeof all, &all) == 0);
}

TEST_CASE("memory is what the machine has, and what it could give") {
  const ScratchFolder root;
  CHECK(host_memory(root.path()).limit == 0);
  write_meminfo(root.path());
  CHECK(host_memory(root.path()).limit == 16 * kGibibyte);
  CHECK(host_memory(root.path()).available == 10 * kGibibyte);
  CHECK(host_memory().available > 0);
  CHECK(host_memory().available <= host_memory().limit);
}

TEST_CASE("a CPU of Arm is named by its numbers, and its features are its flags") {
  const ScratchFolder root;
  CHECK(cpu_model(root.path()) == "unknown");
  CHECK(cpu_flags(root.path()) == "unknown");
  const auto write = [&root](const std::string& part) {
    write_system_file(root.path() / "proc/cpuinfo",
                      "processor\t: 0\nFeatures\t: fp asimd sve bf16\nCPU implementer\t: 0x41\n"
                      "CPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: " +
                          part + "\nCPU revision\t: 1\n");
  };
  write("0xd40");
  CHECK(cpu_model(root.path()) == "Neoverse V1");
  CHECK(cpu_flags(root.path()) == "fp asimd sve bf16");
  write("0xfff");
  CHECK(cpu_model(root.path()) == "Arm, implementer 0x41, part 0xfff");
  write_system_file(root.path() / "proc/cpuinfo",
                    "model name\t: AMD EPYC 9654\nflags\t\t: fpu avx2\n");
  CHECK(cpu_model(root.path()) == "AMD EPYC 9654");
  CHECK(cpu_flags(root.path()) == "fpu avx2");
}

TEST_CASE("the instruction sets of the build are ones that this CPU has") {
  const std::string sets = compiled_instruction_sets();
  CHECK_FALSE(sets.empty());
  if (sets.find("avx512f") != std::string::npos) CHECK(contains(cpu_flags(), "avx512f"));
}

TEST_CASE("the tightest limit of the control groups around a process counts") {
  const ScratchFolder root;
  write_meminfo(root.path());
  write_system_file(root.path() / "proc/self/cgroup", "0::/job/step\n");
  const fs::path groups = root.path() / "sys/fs/cgroup";
  write_system_file(groups / "job/step/memory.max", "max\n");
  CHECK(host_memory(root.path()).limit == 16 * kGibibyte);
  write_system_file(groups / "job/memory.max", "4294967296\n");
  CHECK(host_memory(root.path()).limit == 4 * kGibibyte);
  CHECK(host_memory(root.path()).available == 4 * kGibibyte);
}

TEST_CASE("version 1 of control groups has a folder for memory, which a container may not show") {
  const ScratchFolder root;
  write_meminfo(root.path());
  write_system_file(root.path() / "proc/self/cgroup",
                    "5:devices:/x\n4:memory:/docker/1f2e\n0::/\nodd\n");
  const fs::path groups = root.path() / "sys/fs/cgroup/memory";
  write_system_file(groups / "memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(host_memory(root.path()).limit == 16 * kGibibyte);
  write_system_file(groups / "memory.limit_in_bytes", "2147483648\n");
  CHECK(host_memory(root.path()).limit == 2 * kGibibyte);
}

}  // namespace localbatch
