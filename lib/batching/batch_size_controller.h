#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "batching/gradient_statistics.h"
#include "core/options.h"

namespace localbatch {

/// Why a round ended with its next local batch size. The first group are the answers of
/// controllers, the second the limits that changed an answer.
enum class Reason {
  kFixed,         ///< no test: the controller keeps the batch size
  kSchedule,      ///< no test: the controller follows a schedule
  kNotDue,        ///< a test exists but not in this round
  kPass,          ///< the test passed
  kGrow,          ///< the test failed, and the batch size grows to the wanted one
  kShrink,        ///< a non-monotone controller lowers the batch size
  kTooFewChunks,  ///< a variance needs two chunks
  kZeroGradient,  ///< squared norm and variance both vanish: there is nothing to test
  kNonFinite,     ///< a statistic, or the loss where it counts, is infinite or not a number

  kHysteresis,   ///< the controller wanted less, but not enough less
  kCap,          ///< the controller wanted more than the maximum
  kFloor,        ///< the controller wanted less than the minimum
  kRounding,     ///< the wanted size was rounded up to a multiple
  kGrowthLimit,  ///< the controller wanted to grow faster than allowed
};
std::string_view to_string(Reason reason);

/// Whether a controller that gives this reason wants a batch size: kPass, kGrow, kSchedule.
bool wants_size(Reason reason);

/// One inequality of a test, which passes when statistic <= threshold.
struct Inequality {
  double statistic = 0;
  double threshold = 0;

  bool passes() const { return statistic <= threshold; }
};

/// A controller's answer to one round's statistics.
struct Wanted {
  /// The smallest size that passes, or the schedule's, not rounded. It has no meaning unless the
  /// reason is kPass, kGrow or kSchedule.
  double local_batch_size = 0;
  Reason reason = Reason::kFixed;
  /// The norm or inner-product test.
  std::optional<Inequality> test = std::nullopt;
  /// The second inequality of the augmented test.
  std::optional<Inequality> orthogonality = std::nullopt;
};

/// The facts besides statistics that a controller may look at when a round ends.
struct BatchContext {
  int local_batch_size = 1;  ///< of this round
  int initial_local_batch_size = 1;
  std::int64_t samples = 0;  ///< processed by all workers together
  double learning_rate = 0;  ///< of the round's first local step
  double loss = 0;           ///< mean over workers and local steps
  /// What the next round begins with of the peak of its learning rate's schedule, before a coupling
  /// to the batch size; 1 in the warm-up.
  double share_of_peak = 1;
};

/// The rule that says how large the next local batch should be. A controller is a pure function: it
/// knows no model, no communication, no clock, and has no state.
class BatchSizeController {
 public:
  virtual ~BatchSizeController() = default;

  /// The statistics that `wanted` looks at. A controller without needs is given empty statistics,
  /// and no gradient is communicated for it.
  virtual StatisticsNeeds needs() const = 0;

  virtual Wanted wanted(const BatchContext& round, const GradientStatistics& statistics) const = 0;
};

/// All controllers that an experiment file can name.
std::span<const PartRow<std::shared_ptr<const BatchSizeController>>> batch_size_controller_table();

/// Why no test can judge these statistics: kTooFewChunks, kNonFinite, kZeroGradient, in this order.
/// Empty when the statistics can be used.
std::optional<Reason> unusable(const GradientStatistics& statistics);

/// Whether noise hides the gradient altogether: usable statistics with a squared norm that is not
/// positive, as its unbiased estimate often is. No batch size follows from an inequality then: all
/// thresholds are 0, and the tests ask to grow to `noise_limited_batch_size`.
bool noise_hides_gradient(const GradientStatistics& statistics);

/// `local_batch_size` times 1/parameter^2, the growth to which noise alone leads a test that
/// divides by the biased squared norm (method.md 2.4), but at least times 2, so that it grows under
/// any parameter.
double noise_limited_batch_size(int local_batch_size, double parameter_squared);

/// The local batch size at which `test`, a variance of the mean gradient against something that
/// does not depend on the batch size, holds with equality. Never more than the present one when the
/// test passes, always more when it fails.
double batch_size_to_pass(const Inequality& test, const GradientStatistics& statistics);

}  // namespace localbatch
