#include "batching/norm_test.h"

#include <algorithm>

namespace localbatch {

namespace {

class NormTest final : public BatchSizeController {
 public:
  explicit NormTest(double eta_squared) : eta_squared_(eta_squared) {}

  StatisticsNeeds needs() const override { return {.variance = true}; }

  Wish wish(const BatchContext& round, const GradientStatistics& statistics) const override {
    Wish wish{.local_batch_size = static_cast<double>(round.local_batch_size)};
    if (const auto reason = unusable(statistics)) {
      wish.reason = *reason;
      return wish;
    }
    wish.test = Inequality{statistics.variance / static_cast<double>(statistics.global_batch_size),
                           eta_squared_ * std::max(statistics.squared_norm, 0.0)};
    wish.reason = wish.test->passes() ? Reason::kPass : Reason::kGrow;
    wish.local_batch_size = noise_hides_gradient(statistics)
                                ? noise_limited_batch_size(round.local_batch_size, eta_squared_)
                                : batch_size_to_pass(*wish.test, statistics);
    return wish;
  }

 private:
  double eta_squared_;
};

}  // namespace

BatchSizeControllerMade norm_test(double eta_squared) {
  return std::make_shared<NormTest>(eta_squared);
}

BatchSizeControllerMade make_norm_test(Options& options) {
  const double eta = options.number(
      "eta", {.fallback = 0.8,
              .min = 1e-3,
              .max = 1e3,
              .meaning = "the batch grows when the standard deviation of the mean gradient exceeds "
                         "eta times its norm; smaller eta, larger batches (0.8 is a suggestion, "
                         "not the paper's)"});
  return norm_test(eta * eta);
}

}  // namespace localbatch
