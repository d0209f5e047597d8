#include <algorithm>

#include "batching/batch_size_controller.h"

namespace localbatch {

namespace {

/// The norm test of Byrd, Chin, Nocedal and Wu (2012) on the mean of the workers' gradients
/// (method.md 2.2 and 2.3):
///   variance/N <= eta^2 |g|^2, so the smallest local batch size is variance/(M eta^2 |g|^2).
class NormTest final : public BatchSizeController {
 public:
  explicit NormTest(double eta) : eta_(eta) {}

  StatisticsNeeds needs() const override { return {.variance = true}; }

  Wish wish(const BatchContext& round, const GradientStatistics& statistics) const override {
    Wish wish{.local_batch_size = static_cast<double>(round.local_batch_size)};
    if (const auto reason = unusable(statistics)) {
      wish.reason = *reason;
      return wish;
    }
    wish.test = Inequality{statistics.variance / static_cast<double>(statistics.global_batch_size),
                           eta_ * eta_ * std::max(statistics.squared_norm, 0.0)};
    wish.reason = wish.test->passes() ? Reason::kPass : Reason::kGrow;
    wish.local_batch_size = noise_hides_gradient(statistics)
                                ? noise_limited_batch_size(round.local_batch_size, eta_)
                                : batch_size_to_pass(*wish.test, statistics);
    return wish;
  }

 private:
  double eta_;
};

}  // namespace

BatchSizeControllerMade make_norm_test(Options& options) {
  return std::make_shared<NormTest>(options.number(
      "eta", {.fallback = 0.8,
              .min = 1e-3,
              .max = 1e3,
              .meaning = "the batch grows when the standard deviation of the mean gradient exceeds "
                         "eta times its norm; smaller eta, larger batches (0.8 is a suggestion, "
                         "not the paper's)"}));
}

}  // namespace localbatch
