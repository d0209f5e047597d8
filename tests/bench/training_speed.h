#pragma once

#include "bench/bench_report.h"

namespace localbatch {

/// As of a measurement that has everything.
inline TrainingSpeed training_speed() {
  TrainingSpeed speed;
  speed.network = bench_networks().front();
  speed.execution = {.max_samples = 128, .threads = 2, .precision = Precision::kBfloat16};
  speed.samples_per_second = {.median = 1234.5, .best = 1300, .windows = 7, .calls = 21};
  speed.step_milliseconds = 103.7;
  speed.phases = PhaseMilliseconds{1, 2, 3, 4, 5, 6};
  speed.share_of_peak = 0.875;
  speed.share_of_limit = 0.625;
  speed.measured_bytes = std::size_t{512} << 20;
  return speed;
}

}  // namespace localbatch
