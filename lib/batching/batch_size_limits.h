#pragma once

#include <cstdint>

#include "batching/batch_size_controller.h"
#include "core/options.h"

namespace localbatch {

/// What stands between a controller's wish and the next local batch size.
struct BatchSizeLimits {
  int min = 1;
  int max = 1 << 20;
  int multiple_of = 1;      ///< results are rounded up to a multiple, never beyond `max`
  double growth_limit = 0;  ///< largest factor per test; 0: none
  bool monotone = true;     ///< never shrink
  int every_rounds = 1;     ///< test after rounds n, 2n, 3n, ...

  /// Whether a test after this round (counted from 1) could change anything.
  bool due(std::int64_t round, int local_batch_size) const;
};

struct BatchSizeDecision {
  int next = 0;
  Reason reason = Reason::kFixed;  ///< of the wish, or the limit that last changed it
};
BatchSizeDecision apply_limits(const BatchSizeLimits& limits, int local_batch_size,
                               const Wish& wish);

}  // namespace localbatch
