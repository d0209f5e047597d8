#include "bench/rate.h"

#include <algorithm>
#include <chrono>

#include "core/error.h"

namespace localbatch {

double median(std::vector<double> values) {
  check(!values.empty(), "a median is taken of something");
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Rate measure_rate(double seconds, double units_per_call, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  constexpr double kLongestWindow = 0.2;
  constexpr std::size_t kFewestWindows = 3;
  const double window = std::min(kLongestWindow, seconds / static_cast<double>(kFewestWindows));
  Rate rate;
  std::vector<double> rates;
  double total = 0;
  while (total < seconds || rates.size() < kFewestWindows) {
    const Clock::time_point started = Clock::now();
    int calls = 0;
    double elapsed = 0;
    do {
      work();
      ++calls;
      elapsed = std::chrono::duration<double>(Clock::now() - started).count();
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

}  // namespace localbatch
