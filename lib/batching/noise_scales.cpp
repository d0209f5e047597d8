#include "batching/noise_scales.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "batching/noise_rule.h"

namespace localbatch {

namespace {

double read_scale(Options& options, double fallback, std::string_view meaning) {
  return options.number("scale",
                        {.fallback = fallback, .min = 1e-6, .max = 1e6, .meaning = meaning});
}

class GradientNoiseScale final : public NoiseRule {
 public:
  explicit GradientNoiseScale(const GradientNoiseScaleSettings& settings)
      : scale_(settings.scale) {}

  StatisticsNeeds needs() const override { return {.variance = true}; }

 private:
  Wanted judge(const BatchContext& round, const GradientStatistics& statistics) const override {
    return judge_norm(1 / scale_, round, statistics);
  }

  double scale_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_gradient_noise_scale(
    const GradientNoiseScaleSettings& settings) {
  return std::make_shared<GradientNoiseScale>(settings);
}

std::shared_ptr<const BatchSizeController> make_gradient_noise_scale(Options& options) {
  GradientNoiseScaleSettings settings;
  settings.scale =
      read_scale(options, settings.scale,
                 "the batch of all workers is to be this many simple noise scales, "
                 "variance of a gradient/squared norm of its mean (1: McCandlish et al. "
                 "2018); consider gradient_statistics.squared_norm: unbiased");
  return make_gradient_noise_scale(settings);
}

namespace {

class DiveBatch final : public NoiseRule {
 public:
  explicit DiveBatch(const DiveBatchSettings& settings) : scale_(settings.scale) {}

  StatisticsNeeds needs() const override { return {.variance = true}; }

 private:
  Wanted judge(const BatchContext& round, const GradientStatistics& statistics) const override {
    const double squared_norm = std::max(statistics.squared_norm, 0.0);
    const Inequality test{scale_ * (squared_norm + statistics.variance) /
                              static_cast<double>(statistics.global_batch_size),
                          squared_norm};
    return judge_against_norm(test, 1 / scale_, round, statistics);
  }

  double scale_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_divebatch(const DiveBatchSettings& settings) {
  return std::make_shared<DiveBatch>(settings);
}

std::shared_ptr<const BatchSizeController> make_divebatch(Options& options) {
  DiveBatchSettings settings;
  settings.scale = read_scale(options, settings.scale,
                              "the batch of all workers is to be this many times the diversity of "
                              "gradients, mean |g_i|^2/|mean g_i|^2 (1 is a suggestion, not the "
                              "paper's); consider gradient_statistics.squared_norm: unbiased");
  return make_divebatch(settings);
}

namespace {

class SimiGrad final : public NoiseRule {
 public:
  explicit SimiGrad(const SimiGradSettings& settings) : similarity_(settings.similarity) {}

  StatisticsNeeds needs() const override { return {.variance = true}; }

 private:
  Wanted judge(const BatchContext& round, const GradientStatistics& statistics) const override {
    return judge_norm((1 - similarity_) / (2 * similarity_), round, statistics);
  }

  double similarity_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_simigrad(const SimiGradSettings& settings) {
  return std::make_shared<SimiGrad>(settings);
}

std::shared_ptr<const BatchSizeController> make_simigrad(Options& options) {
  SimiGradSettings settings;
  settings.similarity = options.number(
      "similarity",
      {.fallback = settings.similarity,
       .min = 1e-3,
       .max = 0.999,
       .meaning = "cosine that the mean gradients of two halves of the batch of all workers are to "
                  "have (0.5 is a suggestion, not the paper's); consider "
                  "gradient_statistics.squared_norm: unbiased"});
  return make_simigrad(settings);
}

namespace {

class Cabs final : public NoiseRule {
 public:
  explicit Cabs(const CabsSettings& settings) : scale_(settings.scale) {}

  StatisticsNeeds needs() const override { return {.variance = true}; }

 private:
  Wanted judge(const BatchContext& round, const GradientStatistics& statistics) const override {
    if (!std::isfinite(round.loss))
      return {.local_batch_size = static_cast<double>(round.local_batch_size),
              .reason = Reason::kNonFinite};
    // Without a learning rate noise does no harm: any batch passes.
    const Inequality test{scale_ * round.learning_rate * statistics.variance /
                              static_cast<double>(statistics.global_batch_size),
                          std::max(round.loss, 0.0)};
    return {.local_batch_size = batch_size_to_pass(test, statistics),
            .reason = reason_of(test.passes()),
            .test = test};
  }

  double scale_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_cabs(const CabsSettings& settings) {
  return std::make_shared<Cabs>(settings);
}

std::shared_ptr<const BatchSizeController> make_cabs(Options& options) {
  CabsSettings settings;
  settings.scale =
      read_scale(options, settings.scale,
                 "factor of the rule; the batch of all workers is to be scale x learning "
                 "rate x variance of a gradient/loss (1: Balles et al. 2017)");
  return make_cabs(settings);
}

}  // namespace localbatch
