#include "bench/rate.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "core/error.h"
#include "core/stopwatch.h"

namespace localbatch {

double median(std::vector<double> values) {
  check(!values.empty(), "a median is taken of something");
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Rate measure_rate(double seconds, double units_per_call, const std::function<void()>& work) {
  constexpr double kLongestWindow = 0.2;
  constexpr std::size_t kFewestWindows = 3;
  const double window = std::min(kLongestWindow, seconds / static_cast<double>(kFewestWindows));
  Rate rate;
  std::vector<double> rates;
  double total = 0;
  while (total < seconds || rates.size() < kFewestWindows) {
    const double started = monotonic_seconds();
    int calls = 0;
    double elapsed = 0;
    do {
      work();
      ++calls;
      elapsed = monotonic_seconds() - started;
    } while (elapsed < window);
    rates.push_back(units_per_call * calls / elapsed);
    rate.calls += calls;
    total += elapsed;
  }
  rate.windows = static_cast<int>(rates.size());
  rate.best = std::ranges::max(rates);
  rate.median = median(std::move(rates));
  return rate;
}

namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

std::string read_proc_stat() {
  std::ifstream file("/proc/stat");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::optional<MachineTime> parse_machine_time(std::string_view proc_stat, double ticks_per_second) {
  std::istringstream text{std::string(proc_stat)};
  MachineTime time;
  bool found = false;
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with("cpu")) continue;
    std::istringstream fields(line);
    std::string name;
    fields >> name;
    if (name != "cpu") {
      ++time.cores;
      continue;
    }
    // Guests' time, which follows these, is part of `user` and `nice` already.
    double user = 0, nice = 0, system = 0, idle = 0, io_wait = 0, irq = 0, soft_irq = 0, steal = 0;
    fields >> user >> nice >> system >> idle >> io_wait >> irq >> soft_irq >> steal;
    found = !fields.fail();
    time.busy_seconds = (user + nice + system + irq + soft_irq + steal) / ticks_per_second;
  }
  if (!found || time.cores == 0) return {};
  return time;
}

CpuSnapshot look_at_cpus() {
  CpuSnapshot snapshot;
  snapshot.wall_seconds = monotonic_seconds();
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  snapshot.own_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
  snapshot.machine =
      parse_machine_time(read_proc_stat(), static_cast<double>(::sysconf(_SC_CLK_TCK)));
  return snapshot;
}

std::optional<double> foreign_load(const CpuSnapshot& before, const CpuSnapshot& after) {
  if (!before.machine || !after.machine) return {};
  constexpr double kRounding = 0.05;  // seconds: a few ticks of 1/100 s
  const double wall = after.wall_seconds - before.wall_seconds;
  const double busy = after.machine->busy_seconds - before.machine->busy_seconds;
  const double others = busy - (after.own_seconds - before.own_seconds);
  if (wall <= 0 || others < kRounding) return 0;
  return std::min(1.0, others / (wall * after.machine->cores));
}

}  // namespace localbatch
