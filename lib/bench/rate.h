#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace localbatch {

/// The middle value, or the mean of the two middle ones. `values` is not empty.
double median(std::vector<double> values);

/// Units per second, measured in short windows one after the other. The median is the speed that a
/// user sees; the best is the speed of the machine when nothing else runs on it.
struct Rate {
  double median = 0;
  double best = 0;
  int windows = 0;
  int calls = 0;
};

/// Calls `work`, which does `units_per_call` units, until `seconds` are over and three windows are
/// full. A window is at most 0.2 s long, or one call where a call takes longer.
Rate measure_rate(double seconds, double units_per_call, const std::function<void()>& work);

/// The cores' busy time since the machine was started, of all programs together.
struct MachineTime {
  double busy_seconds = 0;  ///< summed over cores, time stolen by a hypervisor included
  int cores = 0;
};

/// Reads the text of /proc/stat (proc(5)), which counts in `ticks_per_second`. Empty when the text
/// is not understood.
std::optional<MachineTime> parse_machine_time(std::string_view proc_stat, double ticks_per_second);

/// The clocks at one moment.
struct CpuSnapshot {
  double wall_seconds = 0;
  double own_seconds = 0;  ///< CPU time of all threads of this process
  std::optional<MachineTime> machine;
};
CpuSnapshot look_at_cpus();

/// The share of all cores that other programs have used between two moments, 0 .. 1; empty where
/// the system does not tell. Less than a few ticks is rounding and counts as 0.
std::optional<double> foreign_load(const CpuSnapshot& before, const CpuSnapshot& after);

/// From this share on, a measurement does not count: threads wait for each other after every layer,
/// so one thread that loses its core for a moment holds up all of them.
constexpr double kTooMuchForeignLoad = 0.05;

}  // namespace localbatch
