#include "batching/noise_tests.h"

#include <algorithm>
#include <array>
#include <string>

#include "batching/batch_size_controller.h"
#include "core/error.h"

namespace localbatch {

namespace {

class NormTest final : public BatchSizeController {
 public:
  explicit NormTest(double eta_squared) : eta_squared_(eta_squared) {}

  StatisticsNeeds needs() const override { return {.variance = true}; }

  Wanted wanted(const BatchContext& round, const GradientStatistics& statistics) const override {
    Wanted wanted{.local_batch_size = static_cast<double>(round.local_batch_size)};
    if (const auto reason = unusable(statistics)) {
      wanted.reason = *reason;
      return wanted;
    }
    wanted.test =
        Inequality{statistics.variance / static_cast<double>(statistics.global_batch_size),
                   eta_squared_ * std::max(statistics.squared_norm, 0.0)};
    wanted.reason = wanted.test->passes() ? Reason::kPass : Reason::kGrow;
    wanted.local_batch_size = noise_hides_gradient(statistics)
                                  ? noise_limited_batch_size(round.local_batch_size, eta_squared_)
                                  : batch_size_to_pass(*wanted.test, statistics);
    return wanted;
  }

 private:
  double eta_squared_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> norm_test(double eta_squared) {
  return std::make_shared<NormTest>(eta_squared);
}

std::shared_ptr<const BatchSizeController> make_norm_test(Options& options) {
  const double eta = options.number(
      "eta", {.fallback = 0.8,
              .min = 1e-3,
              .max = 1e3,
              .meaning = "the batch grows when the standard deviation of the mean gradient exceeds "
                         "eta times its norm; smaller eta, larger batches (0.8 is a suggestion, "
                         "not the paper's)"});
  return norm_test(eta * eta);
}

namespace {

/// The inner product test of Bollapragada, Byrd and Nocedal (2018) on the mean of the workers'
/// gradients, and with nu > 0 their augmented test, which adds the orthogonality test
/// (method.md 2.6):
///   inner_product_variance/N <= theta^2 |g|^4   and   orthogonal_variance/N <= nu^2 |g|^2.
class InnerProductTest final : public BatchSizeController {
 public:
  InnerProductTest(double theta, double nu) : theta_(theta), nu_(nu) {}

  StatisticsNeeds needs() const override { return {.variance = true, .inner_products = true}; }

  Wanted wanted(const BatchContext& round, const GradientStatistics& statistics) const override {
    Wanted wanted{.local_batch_size = static_cast<double>(round.local_batch_size)};
    if (const auto reason = unusable(statistics)) {
      wanted.reason = *reason;
      return wanted;
    }
    const bool augmented = nu_ > 0;
    const double samples = static_cast<double>(statistics.global_batch_size);
    const double squared_norm = std::max(statistics.squared_norm, 0.0);
    wanted.test = Inequality{statistics.inner_product_variance / samples,
                             theta_ * theta_ * squared_norm * squared_norm};
    if (augmented)
      wanted.orthogonality =
          Inequality{statistics.orthogonal_variance / samples, nu_ * nu_ * squared_norm};

    if (noise_hides_gradient(statistics)) {
      wanted.reason = Reason::kGrow;
      const double parameter = augmented ? std::min(theta_, nu_) : theta_;
      wanted.local_batch_size =
          noise_limited_batch_size(round.local_batch_size, parameter * parameter);
      return wanted;
    }
    const bool passes = wanted.test->passes() && (!augmented || wanted.orthogonality->passes());
    wanted.reason = passes ? Reason::kPass : Reason::kGrow;
    wanted.local_batch_size = batch_size_to_pass(*wanted.test, statistics);
    if (augmented)
      wanted.local_batch_size =
          std::max(wanted.local_batch_size, batch_size_to_pass(*wanted.orthogonality, statistics));
    return wanted;
  }

 private:
  double theta_;
  double nu_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_inner_product_test(Options& options) {
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

namespace {

constexpr std::array<std::string_view, kCoordinateShares.size()> kShareNames{"0.5", "0.9", "0.99",
                                                                             "0.999", "1"};

/// The norm test of every coordinate i by itself (method.md 2.1):
///   variance_i/N <= eta^2 g_i^2 for a share of the coordinates; the definition asks for all.
class CoordinateNormTest final : public BatchSizeController {
 public:
  CoordinateNormTest(double eta, std::size_t share) : eta_(eta), share_(share) {}

  StatisticsNeeds needs() const override { return {.variance = true, .coordinates = true}; }

  Wanted wanted(const BatchContext& round, const GradientStatistics& statistics) const override {
    Wanted wanted{.local_batch_size = static_cast<double>(round.local_batch_size)};
    if (const auto reason = unusable(statistics)) {
      wanted.reason = *reason;
      return wanted;
    }
    check(statistics.coordinate_ratios.has_value(), "what a controller needs is measured");
    wanted.test = Inequality{
        (*statistics.coordinate_ratios)[share_] / static_cast<double>(statistics.global_batch_size),
        eta_ * eta_};
    wanted.reason = wanted.test->passes() ? Reason::kPass : Reason::kGrow;
    wanted.local_batch_size = batch_size_to_pass(*wanted.test, statistics);
    return wanted;
  }

 private:
  double eta_;
  std::size_t share_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_coordinate_norm_test(Options& options) {
  const double eta = options.number(
      "eta", {.fallback = 0.8,
              .min = 1e-3,
              .max = 1e3,
              .meaning = "the batch grows when the standard deviation of a coordinate of the mean "
                         "gradient exceeds eta times its value (0.8 is a suggestion, not the "
                         "paper's)"});
  const std::string share = options.choice(
      "share", {.fallback = "1",
                .choices = {kShareNames.begin(), kShareNames.end()},
                .meaning = "of the coordinates that must pass; 1 is the definition, and decided by "
                           "the one coordinate that is nearest to 0"});
  const auto found = std::ranges::find(kShareNames, share);
  return std::make_shared<CoordinateNormTest>(
      eta, static_cast<std::size_t>(found - kShareNames.begin()));
}

namespace {

/// CABS (Balles, Romero and Hennig 2017), which couples the batch to the learning rate:
///   M b = scale learning_rate variance/loss.
/// It assumes plain SGD and a smallest loss of about 0; its own averages over steps are not taken.
class Cabs final : public BatchSizeController {
 public:
  explicit Cabs(double scale) : scale_(scale) {}

  StatisticsNeeds needs() const override { return {.variance = true}; }

  Wanted wanted(const BatchContext& round, const GradientStatistics& statistics) const override {
    Wanted wanted{.local_batch_size = static_cast<double>(round.local_batch_size)};
    if (const auto reason = unusable(statistics)) {
      wanted.reason = *reason;
      return wanted;
    }
    // Without a learning rate noise does no harm: any batch passes.
    wanted.test = Inequality{scale_ * round.learning_rate * statistics.variance /
                                 static_cast<double>(statistics.global_batch_size),
                             std::max(round.loss, 0.0)};
    wanted.reason = wanted.test->passes() ? Reason::kPass : Reason::kGrow;
    wanted.local_batch_size = batch_size_to_pass(*wanted.test, statistics);
    return wanted;
  }

 private:
  double scale_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_cabs(Options& options) {
  return std::make_shared<Cabs>(options.number(
      "scale", {.fallback = 1,
                .min = 1e-6,
                .max = 1e6,
                .meaning = "factor of the rule; the batch of all workers is to be scale x learning "
                           "rate x variance of a gradient/loss (1: Balles et al. 2017)"}));
}

/// A batch in proportion to the simple noise scale of McCandlish, Kaplan and Amodei (2018):
///   M b = scale variance/|g|^2,
/// which is what the norm test asks for with eta^2 = 1/scale. In the definition |g| is the true
/// gradient's norm, so that an unbiased estimate is meant (method.md 2.7).
std::shared_ptr<const BatchSizeController> make_gradient_noise_scale(Options& options) {
  return norm_test(
      1 / options.number(
              "scale",
              {.fallback = 1,
               .min = 1e-6,
               .max = 1e6,
               .meaning = "the batch of all workers is to be this many simple noise scales, "
                          "variance of a gradient/squared norm of its mean (1: McCandlish et al. "
                          "2018); consider gradient_statistics.squared_norm: unbiased"}));
}

}  // namespace localbatch
