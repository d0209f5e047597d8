#include <algorithm>
#include <cmath>

#include "batching/batch_size_controller.h"

namespace localbatch {

namespace {

/// A batch in proportion to the simple noise scale of McCandlish, Kaplan and Amodei (2018):
///   M b = scale variance/|g|^2.
/// The norm test with eta^2 = 1/scale asks for the same; there, too, an unbiased squared norm is
/// what the definition means (method.md 2.7).
class GradientNoiseScale final : public BatchSizeController {
 public:
  explicit GradientNoiseScale(double scale) : scale_(scale) {}

  StatisticsNeeds needs() const override { return {.variance = true}; }

  Wish wish(const BatchContext& round, const GradientStatistics& statistics) const override {
    Wish wish{.local_batch_size = static_cast<double>(round.local_batch_size)};
    if (const auto reason = unusable(statistics)) {
      wish.reason = *reason;
      return wish;
    }
    wish.test = Inequality{statistics.variance / static_cast<double>(statistics.global_batch_size),
                           std::max(statistics.squared_norm, 0.0) / scale_};
    wish.reason = wish.test->passes() ? Reason::kPass : Reason::kGrow;
    wish.local_batch_size =
        noise_hides_gradient(statistics)
            ? noise_limited_batch_size(round.local_batch_size, 1 / std::sqrt(scale_))
            : batch_size_to_pass(*wish.test, statistics);
    return wish;
  }

 private:
  double scale_;
};

}  // namespace

BatchSizeControllerMade make_gradient_noise_scale(Options& options) {
  return std::make_shared<GradientNoiseScale>(options.number(
      "scale", {.fallback = 1,
                .min = 1e-6,
                .max = 1e6,
                .meaning = "the batch of all workers is to be this many simple noise scales, "
                           "variance of a gradient/squared norm of its mean (1: McCandlish et al. "
                           "2018); consider gradient_statistics.squared_norm: unbiased"}));
}

}  // namespace localbatch
