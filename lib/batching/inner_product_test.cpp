#include <algorithm>

#include "batching/batch_size_controller.h"

namespace localbatch {

namespace {

/// The inner product test of Bollapragada, Byrd and Nocedal (2018) on the mean of the workers'
/// gradients, and with nu > 0 their augmented test, which adds the orthogonality test
/// (method.md 2.6):
///   inner_product_variance/N <= theta^2 |g|^4   and   orthogonal_variance/N <= nu^2 |g|^2.
class InnerProductTest final : public BatchSizeController {
 public:
  InnerProductTest(double theta, double nu) : theta_(theta), nu_(nu) {}

  StatisticsNeeds needs() const override { return {.variance = true, .inner_products = true}; }

  Wish wish(const BatchContext& round, const GradientStatistics& statistics) const override {
    Wish wish{.local_batch_size = static_cast<double>(round.local_batch_size)};
    if (const auto reason = unusable(statistics)) {
      wish.reason = *reason;
      return wish;
    }
    const bool augmented = nu_ > 0;
    const double samples = static_cast<double>(statistics.global_batch_size);
    const double squared_norm = std::max(statistics.squared_norm, 0.0);
    wish.test = Inequality{statistics.inner_product_variance / samples,
                           theta_ * theta_ * squared_norm * squared_norm};
    if (augmented)
      wish.orthogonality =
          Inequality{statistics.orthogonal_variance / samples, nu_ * nu_ * squared_norm};

    if (noise_hides_gradient(statistics)) {
      wish.reason = Reason::kGrow;
      const double parameter = augmented ? std::min(theta_, nu_) : theta_;
      wish.local_batch_size =
          noise_limited_batch_size(round.local_batch_size, parameter * parameter);
      return wish;
    }
    const bool passes = wish.test->passes() && (!augmented || wish.orthogonality->passes());
    wish.reason = passes ? Reason::kPass : Reason::kGrow;
    wish.local_batch_size = batch_size_to_pass(*wish.test, statistics);
    if (augmented)
      wish.local_batch_size =
          std::max(wish.local_batch_size, batch_size_to_pass(*wish.orthogonality, statistics));
    return wish;
  }

 private:
  double theta_;
  double nu_;
};

}  // namespace

BatchSizeControllerMade make_inner_product_test(Options& options) {
  const double theta = options.number(
      "theta", {.fallback = 0.9,
                .min = 1e-3,
                .max = 1e3,
                .meaning = "the batch grows when the standard deviation along the mean gradient "
                           "exceeds theta times its norm (0.9: Bollapragada et al. 2018, as "
                           "recalled)"});
  const double nu = options.number(
      "nu", {.fallback = 0,
             .min = 0,
             .max = 1e3,
             .meaning = "the batch also grows when the standard deviation across the mean gradient "
                        "exceeds nu times its norm (5.84: Bollapragada et al. 2018, as recalled); "
                        "0: no such test"});
  return std::make_shared<InnerProductTest>(theta, nu);
}

}  // namespace localbatch
