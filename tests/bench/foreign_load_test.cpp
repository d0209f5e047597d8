#include <doctest/doctest.h>

#include <string>

#include "bench/rate.h"

using namespace localbatch;

namespace {

/// /proc/stat of four cores; the fields of each kind of time are in hundredths of a second.
std::string proc_stat(int user, int system, int idle, int steal) {
  const std::string all = "cpu  " + std::to_string(user) + " 30 " + std::to_string(system) + " " +
                          std::to_string(idle) + " 500 20 10 " + std::to_string(steal) +
                          " 7000 8000\n";
  return all + "cpu0 1 2 3 4 5 6 7 8 9 10\ncpu1 1 2 3 4 5 6 7 8 9 10\n" +
         "cpu2 1 2 3 4 5 6 7 8 9 10\ncpu3 1 2 3 4 5 6 7 8 9 10\n" +
         "intr 12345 0 0\nctxt 67890\nbtime 1700000000\nprocesses 4711\n";
}

CpuSnapshot snapshot(double wall, double own, const std::string& text) {
  return {.wall_seconds = wall, .own_seconds = own, .machine = parse_machine_time(text, 100)};
}

}  // namespace

TEST_CASE("busy time is all but idling and waiting for disks; guests are not counted twice") {
  const auto time = parse_machine_time(proc_stat(1000, 200, 99999, 40), 100);
  REQUIRE(time);
  CHECK(time->cores == 4);
  CHECK(time->busy_seconds == doctest::Approx((1000 + 30 + 200 + 20 + 10 + 40) / 100.0));
}

TEST_CASE("text that is not understood gives nothing") {
  CHECK_FALSE(parse_machine_time("", 100));
  CHECK_FALSE(parse_machine_time("intr 1 2 3\n", 100));
  CHECK_FALSE(parse_machine_time("cpu  1 2 3\ncpu0 1 2 3\n", 100));
  CHECK_FALSE(parse_machine_time("cpu  1 2 3 4 5 6 7 8\n", 100));
}

TEST_CASE("foreign load is busy time that is not our own, as a share of all cores") {
  const CpuSnapshot before = snapshot(10, 3, proc_stat(1000, 200, 5000, 40));
  // In 5 s of four cores: 8 s of user, 1 s of system, 1 s stolen; 6 s of them are ours.
  const CpuSnapshot after = snapshot(15, 9, proc_stat(1800, 300, 6000, 140));
  const auto load = foreign_load(before, after);
  REQUIRE(load);
  CHECK(*load == doctest::Approx((8 + 1 + 1 - 6) / (4 * 5.0)));
}

TEST_CASE("rounding of the kernel's clock is no foreign load") {
  const CpuSnapshot before = snapshot(10, 3, proc_stat(1000, 200, 5000, 40));
  CHECK(foreign_load(before, snapshot(10.1, 3.1, proc_stat(1013, 200, 5000, 40))) == 0.0);
  CHECK(foreign_load(before, snapshot(10.1, 3.2, proc_stat(1010, 200, 5000, 40))) == 0.0);
  CHECK(foreign_load(before, before) == 0.0);
}

TEST_CASE("a system that does not tell has no foreign load, not even none") {
  const CpuSnapshot known = snapshot(10, 3, proc_stat(1000, 200, 5000, 40));
  const CpuSnapshot unknown{.wall_seconds = 11, .own_seconds = 4, .machine = {}};
  CHECK_FALSE(foreign_load(known, unknown));
  CHECK_FALSE(foreign_load(unknown, known));
}

TEST_CASE("what this process does itself is its own") {
  const CpuSnapshot before = look_at_cpus();
  while (look_at_cpus().own_seconds < before.own_seconds + 0.1) {
  }
  const CpuSnapshot after = look_at_cpus();
  CHECK(after.own_seconds - before.own_seconds < 0.2);
  CHECK(after.wall_seconds - before.wall_seconds >= 0.099);
  if (before.machine && after.machine) {
    const double busy = after.machine->busy_seconds - before.machine->busy_seconds;
    CHECK(busy > 0.05);
    CHECK(after.machine->cores >= 1);
  }
}
