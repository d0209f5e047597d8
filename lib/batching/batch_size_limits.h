#pragma once

#include <cstdint>
#include <optional>

#include "batching/batch_size_controller.h"
#include "core/options.h"

namespace localbatch {

/// The limits between the batch size that a controller wants and the next local batch size.
struct BatchSizeLimits {
  int min = 1;
  int max = 65536;
  int multiple_of = 1;  ///< results are rounded up to a multiple, never beyond `max`
  std::optional<double> growth_limit = std::nullopt;  ///< largest factor per test before rounding
  bool monotone = true;                               ///< never shrink
  /// Without monotone: shrinks only where (1 + hysteresis) times the wanted size is less than the
  /// present one.
  std::optional<double> hysteresis = std::nullopt;
  int every_rounds = 1;  ///< test after rounds n, 2n, 3n, ...

  /// Whether a test after this round (counted from 1) could change anything.
  bool due(std::int64_t round, int local_batch_size) const;
};

/// Reads `min`, `max` and `multiple_of` from the mapping `batch_size`, and `growth_limit`,
/// `monotone`, `hysteresis` and `every_rounds` from the mapping `batch_size_controller`.
BatchSizeLimits read_batch_size_limits(Options& batch_size, Options& controller);

struct BatchSizeDecision {
  int next = 0;
  Reason reason = Reason::kFixed;  ///< the controller's, or the limit that last changed the size
};

/// Rounds the wanted size up to a whole number once, then applies in this order: monotone or
/// hysteresis, growth limit (which always leaves room for one more sample), minimum, maximum,
/// multiple. A bound wins over monotone. A reason without a size of its own (fixed, not due, too
/// few chunks, ...) keeps the batch size as it is.
BatchSizeDecision apply_limits(const BatchSizeLimits& limits, int local_batch_size,
                               const Wanted& wanted);

}  // namespace localbatch
