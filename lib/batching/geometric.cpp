#include <cmath>

#include "batching/batch_size_controller.h"

namespace localbatch {

namespace {

/// After n samples, b = initial factor^floor(n/every_samples).
class Geometric final : public BatchSizeController {
 public:
  Geometric(double factor, std::int64_t every_samples)
      : factor_(factor), every_samples_(every_samples) {}

  StatisticsNeeds needs() const override { return {}; }

  Wish wish(const BatchContext& round, const GradientStatistics& /*statistics*/) const override {
    const std::int64_t times = round.samples / every_samples_;
    return {.local_batch_size =
                round.initial_local_batch_size * std::pow(factor_, static_cast<double>(times)),
            .reason = Reason::kSchedule};
  }

 private:
  double factor_;
  std::int64_t every_samples_;
};

}  // namespace

BatchSizeControllerMade make_geometric(Options& options) {
  const double factor = options.number(
      "factor", {.fallback = 2,
                 .min = 1e-3,
                 .max = 1e3,
                 .meaning = "what the local batch size is multiplied by; less than 1 needs "
                            "monotone: false"});
  const std::int64_t every_samples = options.integer(
      "every_samples",
      {.min = 1, .meaning = "samples, of all workers together, from one such step to the next"});
  return std::make_shared<Geometric>(factor, every_samples);
}

}  // namespace localbatch
