#pragma once

#include <cstdint>

namespace localbatch {

/// When the averaged model is evaluated: after each round that reaches another multiple of
/// `interval` samples, and after the last one.
struct EvaluationSchedule {
  std::int64_t interval = 1;
  std::int64_t max_samples = 0;
  std::int64_t next = interval;

  bool due(std::int64_t samples) const { return samples >= next || samples >= max_samples; }
  void pass(std::int64_t samples) { next = (samples / interval + 1) * interval; }
};

/// `every_samples` as an experiment has it, 0: once per epoch.
inline EvaluationSchedule evaluation_schedule(std::int64_t every_samples,
                                              std::int64_t epoch_samples,
                                              std::int64_t max_samples) {
  return {.interval = every_samples > 0 ? every_samples : epoch_samples,
          .max_samples = max_samples};
}

}  // namespace localbatch
