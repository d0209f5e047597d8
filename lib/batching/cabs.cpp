#include <algorithm>

#include "batching/batch_size_controller.h"

namespace localbatch {

namespace {

/// CABS (Balles, Romero and Hennig 2017), which couples the batch to the learning rate:
///   M b = scale learning_rate variance/loss.
/// It assumes plain SGD and a smallest loss of about 0; its own averages over steps are not taken.
class Cabs final : public BatchSizeController {
 public:
  explicit Cabs(double scale) : scale_(scale) {}

  StatisticsNeeds needs() const override { return {.variance = true}; }

  Wish wish(const BatchContext& round, const GradientStatistics& statistics) const override {
    Wish wish{.local_batch_size = static_cast<double>(round.local_batch_size)};
    if (const auto reason = unusable(statistics)) {
      wish.reason = *reason;
      return wish;
    }
    // Without a learning rate noise does no harm: any batch passes.
    wish.test = Inequality{scale_ * round.learning_rate * statistics.variance /
                               static_cast<double>(statistics.global_batch_size),
                           std::max(round.loss, 0.0)};
    wish.reason = wish.test->passes() ? Reason::kPass : Reason::kGrow;
    wish.local_batch_size = batch_size_to_pass(*wish.test, statistics);
    return wish;
  }

 private:
  double scale_;
};

}  // namespace

BatchSizeControllerMade make_cabs(Options& options) {
  return std::make_shared<Cabs>(options.number(
      "scale", {.fallback = 1,
                .min = 1e-6,
                .max = 1e6,
                .meaning = "factor of the rule; the batch of all workers is to be scale x learning "
                           "rate x variance of a gradient/loss (1: Balles et al. 2017)"}));
}

}  // namespace localbatch
