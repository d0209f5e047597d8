#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace localbatch {

/// The middle value, or the mean of the two middle ones. At least one value.
double median(std::vector<double> values);

/// How fast something went: units per second in short windows, one after the other. The median is
/// what a user sees; the best is what the machine can do when nothing else runs on it.
struct Rate {
  double median = 0;
  double best = 0;
  int windows = 0;
  int calls = 0;
};

/// Calls `work`, which does `units_per_call` units, until `seconds` are over and three windows are
/// full. A window is at most 0.2 s long, or one call where that takes longer.
Rate measure_rate(double seconds, double units_per_call, const std::function<void()>& work);

/// The cores' busy time since the machine was started, of all programs together.
struct MachineTime {
  double busy_seconds = 0;  ///< summed over cores, time stolen by a hypervisor included
  int cores = 0;
};

/// Reads the text of /proc/stat (proc(5)), which counts in `ticks_per_second`. Nothing when it is
/// not understood.
std::optional<MachineTime> parse_machine_time(std::string_view proc_stat, double ticks_per_second);

/// One look at the clocks.
struct CpuSnapshot {
  double wall_seconds = 0;
  double own_seconds = 0;  ///< of all threads of this process
  std::optional<MachineTime> machine;
};
CpuSnapshot look_at_cpus();

/// Which share of all cores other programs have used between two looks, 0 .. 1; nothing where the
/// system does not tell. Less than a few ticks is rounding and counts as none.
std::optional<double> foreign_load(const CpuSnapshot& before, const CpuSnapshot& after);

/// From this share on a measurement does not count: threads wait for each other after every layer,
/// so one that loses its core for a moment holds up all of them.
constexpr double kTooMuchForeignLoad = 0.05;

}  // namespace localbatch
