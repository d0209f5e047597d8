#pragma once

#include <functional>
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

}  // namespace localbatch
