#include <algorithm>

#include "batching/batch_size_controller.h"

namespace localbatch {

namespace {

/// A linear ramp, as large language models are trained with: after n samples,
///   b = initial + (final - initial) min(1, n/ramp_samples).
class Linear final : public BatchSizeController {
 public:
  Linear(int final_size, std::int64_t ramp_samples)
      : final_size_(final_size), ramp_samples_(ramp_samples) {}

  StatisticsNeeds needs() const override { return {}; }

  Wish wish(const BatchContext& round, const GradientStatistics& /*statistics*/) const override {
    const double share =
        std::min(1.0, static_cast<double>(round.samples) / static_cast<double>(ramp_samples_));
    const double initial = round.initial_local_batch_size;
    return {.local_batch_size = initial + share * (final_size_ - initial),
            .reason = Reason::kSchedule};
  }

 private:
  int final_size_;
  std::int64_t ramp_samples_;
};

}  // namespace

BatchSizeControllerMade make_linear(Options& options) {
  const auto final_size = static_cast<int>(options.integer(
      "final", {.min = 1, .max = 1 << 30, .meaning = "local batch size at the end of the ramp"}));
  const std::int64_t ramp_samples =
      options.integer("ramp_samples", {.min = 1,
                                       .meaning = "samples, of all workers together, over which "
                                                  "the local batch size changes from the initial "
                                                  "to the final one"});
  return std::make_shared<Linear>(final_size, ramp_samples);
}

}  // namespace localbatch
