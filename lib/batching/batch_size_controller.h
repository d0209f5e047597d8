#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "batching/gradient_statistics.h"
#include "core/part_table.h"

namespace localbatch {

/// Why a round ended with the local batch size it ended with. The first group is what a test can
/// say, the second what the limits made of it.
enum class Reason {
  kFixed,         ///< no test: the controller keeps the batch size
  kNotDue,        ///< a test exists but not in this round
  kPass,          ///< the test passed
  kGrow,          ///< it failed, and the batch size grows to what it wanted
  kShrink,        ///< a non-monotone controller lowers the batch size
  kTooFewChunks,  ///< a variance needs two chunks
  kZeroGradient,  ///< the squared gradient norm is not positive, nothing can be divided by it
  kNonFinite,     ///< a statistic is infinite or not a number

  kCap,          ///< it wanted more than the maximum
  kFloor,        ///< it wanted less than the minimum
  kRounding,     ///< rounded up to a multiple
  kGrowthLimit,  ///< it wanted to grow faster than allowed
};
std::string_view to_string(Reason reason);

/// One inequality of a test: it passes when statistic <= threshold.
struct Inequality {
  double statistic = 0;
  double threshold = 0;
};

/// What a controller makes of one round's statistics.
struct Wish {
  double local_batch_size =
      0;  ///< smallest one that passes, not rounded; no meaning unless kPass or kGrow
  Reason reason = Reason::kFixed;
  std::optional<Inequality> test;           ///< norm or inner-product test
  std::optional<Inequality> orthogonality;  ///< second inequality of the augmented test
};

/// The rule that says how large the next local batch should be. Pure: no model, no communication,
/// no clock, no state.
class BatchSizeController {
 public:
  virtual ~BatchSizeController() = default;

  /// Whether `wish` looks at statistics at all; without, no gradient is communicated.
  virtual bool needs_statistics() const = 0;

  virtual Wish wish(int local_batch_size, const GradientStatistics& statistics) const = 0;
};

using BatchSizeControllerMade = std::shared_ptr<const BatchSizeController>;

/// fixed, norm_test, inner_product_test.
std::span<const PartRow<BatchSizeControllerMade>> batch_size_controller_table();

/// The checks that every test on a variance shares: kTooFewChunks, kNonFinite, kZeroGradient, or
/// nothing when the statistics can be used.
std::optional<Reason> unusable(const GradientStatistics& statistics);

}  // namespace localbatch
