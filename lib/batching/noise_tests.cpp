#include "batching/noise_tests.h"

#include <fmt/core.h>

#include <algorithm>

#include "batching/noise_rule.h"
#include "core/error.h"

namespace localbatch {

namespace {

class NormTest final : public NoiseRule {
 public:
  explicit NormTest(const NormTestSettings& settings) : eta_(settings.eta) {}

  StatisticsNeeds needs() const override { return {.variance = true}; }

 private:
  Wanted judge(const BatchContext& round, const GradientStatistics& statistics) const override {
    return judge_norm(eta_ * eta_, round, statistics);
  }

  double eta_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_norm_test(const NormTestSettings& settings) {
  return std::make_shared<NormTest>(settings);
}

std::shared_ptr<const BatchSizeController> make_norm_test(Options& options) {
  NormTestSettings settings;
  settings.eta = options.number(
      "eta", {.fallback = settings.eta,
              .min = 1e-3,
              .max = 1e3,
              .meaning = "the batch grows when the standard deviation of the mean gradient exceeds "
                         "eta times its norm; smaller eta, larger batches (0.8 is a suggestion, "
                         "not the paper's)"});
  return make_norm_test(settings);
}

std::string norm_test_label(std::span<const KeyValue> settings) {
  return "norm test, eta " + value_of(settings, "batch_size_controller.eta");
}

namespace {

class InnerProductTest final : public NoiseRule {
 public:
  explicit InnerProductTest(const InnerProductTestSettings& settings)
      : theta_(settings.theta), nu_(settings.nu) {}

  StatisticsNeeds needs() const override { return {.variance = true, .inner_products = true}; }

 private:
  Wanted judge(const BatchContext& round, const GradientStatistics& statistics) const override {
    const double samples = static_cast<double>(statistics.global_batch_size);
    const double squared_norm = std::max(statistics.squared_norm, 0.0);
    const Inequality test{statistics.inner_product_variance / samples,
                          theta_ * theta_ * squared_norm * squared_norm};
    std::optional<Inequality> orthogonality;
    if (nu_)
      orthogonality =
          Inequality{statistics.orthogonal_variance / samples, *nu_ * *nu_ * squared_norm};

    Wanted wanted{.test = test, .orthogonality = orthogonality};
    if (noise_hides_gradient(statistics)) {
      const double parameter = nu_ ? std::min(theta_, *nu_) : theta_;
      wanted.reason = Reason::kGrow;
      wanted.local_batch_size =
          noise_limited_batch_size(round.local_batch_size, parameter * parameter);
      return wanted;
    }
    wanted.reason = reason_of(test.passes() && (!orthogonality || orthogonality->passes()));
    wanted.local_batch_size = batch_size_to_pass(test, statistics);
    if (orthogonality)
      wanted.local_batch_size =
          std::max(wanted.local_batch_size, batch_size_to_pass(*orthogonality, statistics));
    return wanted;
  }

  double theta_;
  std::optional<double> nu_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_inner_product_test(
    const InnerProductTestSettings& settings) {
  return std::make_shared<InnerProductTest>(settings);
}

std::shared_ptr<const BatchSizeController> make_inner_product_test(Options& options) {
  InnerProductTestSettings settings;
  settings.theta = options.number(
      "theta", {.fallback = settings.theta,
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
  if (nu > 0) settings.nu = nu;
  return make_inner_product_test(settings);
}

std::string inner_product_test_label(std::span<const KeyValue> settings) {
  const std::string theta = value_of(settings, "batch_size_controller.theta");
  const std::string nu = value_of(settings, "batch_size_controller.nu");
  if (nu.empty() || nu == "0") return "inner-product test, theta " + theta;
  return fmt::format("augmented inner-product test, theta {}, nu {}", theta, nu);
}

namespace {

class CoordinateNormTest final : public NoiseRule {
 public:
  explicit CoordinateNormTest(const CoordinateNormTestSettings& settings) : eta_(settings.eta) {
    const auto share = std::ranges::find(kCoordinateShares, settings.share);
    check(share != kCoordinateShares.end(), "ratios are known for a share of the coordinates");
    share_ = share - kCoordinateShares.begin();
  }

  StatisticsNeeds needs() const override { return {.variance = true, .coordinates = true}; }

 private:
  Wanted judge(const BatchContext& /*round*/, const GradientStatistics& statistics) const override {
    check(statistics.coordinate_ratios.has_value(), "what a controller needs is measured");
    const double ratio = (*statistics.coordinate_ratios)[share_];
    const Inequality test{ratio / static_cast<double>(statistics.global_batch_size), eta_ * eta_};
    return {.local_batch_size = batch_size_to_pass(test, statistics),
            .reason = reason_of(test.passes()),
            .test = test};
  }

  double eta_;
  std::size_t share_ = 0;  ///< index in kCoordinateShares
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_coordinate_norm_test(
    const CoordinateNormTestSettings& settings) {
  return std::make_shared<CoordinateNormTest>(settings);
}

std::shared_ptr<const BatchSizeController> make_coordinate_norm_test(Options& options) {
  CoordinateNormTestSettings settings;
  settings.eta = options.number(
      "eta", {.fallback = settings.eta,
              .min = 1e-3,
              .max = 1e3,
              .meaning = "the batch grows when the standard deviation of a coordinate of the mean "
                         "gradient exceeds eta times its value (0.8 is a suggestion, not the "
                         "paper's)"});
  settings.share = options.choice<double>(
      "share", {.fallback = settings.share,
                .choices = {{"0.5", 0.5}, {"0.9", 0.9}, {"0.99", 0.99}, {"0.999", 0.999}, {"1", 1}},
                .meaning = "of the coordinates that must pass; 1 is the definition, and decided by "
                           "the one coordinate that is nearest to 0"});
  return make_coordinate_norm_test(settings);
}

}  // namespace localbatch
