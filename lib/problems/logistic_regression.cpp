#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "problems/logistic_loss.h"
#include "problems/problem.h"

namespace localbatch {

namespace {

struct LogisticSettings {
  double ridge = 0;
  bool all_samples = false;
  bool trace = false;
  GradientNoise noise;
};

/// The samples of a batch are drawn with replacement, as theorems assume: number s of a worker is a
/// function of (seed, worker, s) alone, whatever the batch sizes are.
std::vector<std::uint32_t> draw_samples(const ProblemBatch& batch, std::size_t population) {
  std::vector<std::uint32_t> samples(static_cast<std::size_t>(batch.size));
  auto number = static_cast<std::uint64_t>(batch.first);
  for (std::uint32_t& sample : samples) {
    RandomStream random(batch.seed, Purpose::kProblemSamples, number++,
                        static_cast<std::uint32_t>(batch.worker));
    sample = random.below(static_cast<std::uint32_t>(population));
  }
  return samples;
}

class LogisticRegression final : public Problem {
 public:
  LogisticRegression(BinaryFeatures features, const LogisticSettings& settings)
      : Problem(settings.noise),
        all_samples_(settings.all_samples),
        loss_(std::move(features), settings.ridge) {
    const auto minimizer = loss_.minimizer();
    if (!minimizer)
      fail_input(
          "problem: a hyperplane separates the two classes, so that plain logistic regression has "
          "no minimum; use a ridge, more samples or fewer features");
    std::vector<double> gradient(dimension());
    facts_ = {.smoothness = loss_.smoothness(),
              .strong_convexity = settings.ridge,
              .minimum = loss_.value(*minimizer, gradient),
              .minimizer = *minimizer};
  }

  std::size_t dimension() const override { return loss_.features().size; }
  void initial_point(std::span<float> x) const override { std::ranges::fill(x, 0.0F); }

  double value(std::span<const float> x, std::span<double> gradient) const override {
    return loss_.value(std::vector<double>(x.begin(), x.end()), gradient);
  }

 private:
  double batch_gradient(std::span<const float> x, const ProblemBatch& batch,
                        std::span<double> gradient) const override {
    if (all_samples_) return value(x, gradient);
    return loss_.value(std::vector<double>(x.begin(), x.end()),
                       draw_samples(batch, loss_.features().samples()), gradient);
  }

  bool all_samples_;
  LogisticLoss loss_;
};

/// The keys after those that say which samples.
LogisticSettings read_logistic_settings(Options& options) {
  LogisticSettings settings;
  settings.ridge = options.number(
      "ridge", {.fallback = 0,
                .min = 0,
                .max = 1e6,
                .meaning = "mu: this times half the squared norm of all weights, bias included, is "
                           "added to the loss; 0 needs data that no hyperplane separates"});
  settings.all_samples =
      options.choice("gradient", {.fallback = "samples",
                                  .choices = {"samples", "exact"},
                                  .meaning = "mean over samples drawn with replacement, or over "
                                             "all of them whatever the batch size"}) == "exact";
  settings.trace = read_trace(options);
  settings.noise = read_gradient_noise(options);
  if (settings.noise.relative > 0 && !settings.all_samples)
    options.fail("relative_noise", "found with 'gradient: samples', needs 'gradient: exact'");
  return settings;
}

}  // namespace

ProblemChoice make_logistic_regression(Options& options) {
  const auto samples = static_cast<std::size_t>(options.integer(
      "samples", {.fallback = 0,
                  .min = 0,
                  .max = 10'000'000,
                  .meaning = "the first so many training images make the problem, 0: all"}));
  const auto pool = static_cast<int>(options.integer(
      "pool", {.fallback = 2,
               .min = 1,
               .max = 32,
               .meaning = "features are means over squares of so many pixels a side; the minimum "
                          "costs samples x features^2"}));
  const LogisticSettings settings = read_logistic_settings(options);
  return {.needs_images = true, .trace = settings.trace, .make = [=](const LabelledImages& images) {
            return std::make_unique<const LogisticRegression>(
                binary_features(images, samples, pool), settings);
          }};
}

ProblemChoice make_generated_logistic_regression(Options& options) {
  GeneratedFeatures wanted;
  wanted.samples = static_cast<std::size_t>(options.integer(
      "samples", {.fallback = 10'000, .min = 1, .max = 10'000'000, .meaning = "n"}));
  wanted.features = static_cast<std::size_t>(options.integer(
      "features",
      {.fallback = 50,
       .min = 1,
       .max = 10'000,
       .meaning = "of a sample, beside its bias: independent standard normal numbers"}));
  wanted.signal = options.number(
      "signal", {.fallback = 2,
                 .min = 0,
                 .max = 1e3,
                 .meaning = "norm of the weights that labels are drawn by, with the probabilities "
                            "of logistic regression; 0: labels by chance"});
  wanted.seed = static_cast<std::uint64_t>(options.integer(
      "generator_seed",
      {.fallback = 1,
       .meaning = "which samples are generated; the seed of the run has no part in it"}));
  const LogisticSettings settings = read_logistic_settings(options);
  return {.trace = settings.trace, .make = [=](const LabelledImages&) {
            return std::make_unique<const LogisticRegression>(generate_binary_features(wanted),
                                                              settings);
          }};
}

}  // namespace localbatch
