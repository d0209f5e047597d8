#include "problems/logistic_regression.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/random.h"

namespace localbatch {

namespace {

/// Added up in interleaved partial sums, as in core/vector_math.h.
double inner_product(std::span<const double> w, std::span<const float> a) {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> partial{};
  const std::size_t whole = w.size() - w.size() % kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      partial[lane] += w[i + lane] * double{a[i + lane]};
  for (std::size_t i = whole; i < w.size(); ++i) partial[i - whole] += w[i] * double{a[i]};
  return std::accumulate(partial.begin(), partial.end(), 0.0);
}

double inner_product(std::span<const double> v, std::span<const double> w) {
  return std::inner_product(v.begin(), v.end(), w.begin(), 0.0);
}

/// 1/(1 + exp(-z)) without overflow.
double sigmoid(double z) {
  const double e = std::exp(-std::abs(z));
  return (z >= 0 ? 1 : e) / (1 + e);
}

/// log(1 + exp(-margin)) without overflow.
double loss_of(double margin) {
  return std::log1p(std::exp(-std::abs(margin))) + (margin < 0 ? -margin : 0);
}

}  // namespace

LogisticLoss::LogisticLoss(BinaryFeatures features, double ridge)
    : features_(std::move(features)), ridge_(ridge) {
  check(features_.samples() > 0, "a loss is a mean over samples");
}

double LogisticLoss::value(std::span<const double> w, std::span<double> gradient) const {
  std::vector<std::uint32_t> all(features_.samples());
  std::iota(all.begin(), all.end(), 0U);
  return value(w, all, gradient);
}

double LogisticLoss::value(std::span<const double> w, std::span<const std::uint32_t> samples,
                           std::span<double> gradient) const {
  const double share = 1 / static_cast<double>(samples.size());
  for (std::size_t j = 0; j < w.size(); ++j) gradient[j] = ridge_ * w[j];
  double loss = ridge_ / 2 * inner_product(w, w);
  for (const std::uint32_t index : samples) {
    const std::span<const float> a = features_.sample(index);
    const double sign = double{features_.signs[index]};
    const double margin = sign * inner_product(w, a);
    loss += share * loss_of(margin);
    const double slope = -share * sign * sigmoid(-margin);
    for (std::size_t j = 0; j < w.size(); ++j) gradient[j] += slope * double{a[j]};
  }
  return loss;
}

SymmetricMatrix LogisticLoss::hessian(std::span<const double> w) const {
  SymmetricMatrix matrix(w.size());
  matrix.add_to_diagonal(ridge_);
  const double share = 1 / static_cast<double>(features_.samples());
  for (std::size_t i = 0; i < features_.samples(); ++i) {
    const double p = sigmoid(inner_product(w, features_.sample(i)));
    matrix.add_outer_product(features_.sample(i), share * p * (1 - p));
  }
  return matrix;
}

double LogisticLoss::smoothness() const {
  // At zero every p (1 - p) is 1/4, the most it can be.
  return largest_eigenvalue(hessian(std::vector<double>(features_.size)));
}

std::optional<std::vector<double>> LogisticLoss::minimizer() const {
  constexpr int kMostIterations = 200;
  constexpr double kPrecise = 1e-13;  // twice the distance of F from its minimum, one step before
  std::vector<double> w(features_.size), gradient(w.size());
  double decrement = 1;
  for (int iteration = 0; decrement >= kPrecise; ++iteration) {
    check(iteration < kMostIterations, "Newton's method converges on a logistic loss");
    SymmetricMatrix matrix = hessian(w);
    const double value_here = value(w, gradient);
    // Features that are always zero leave directions in which F is flat.
    matrix.add_to_diagonal(1e-12 * matrix.trace());
    const std::vector<double> step = solve(std::move(matrix), gradient);
    decrement = inner_product(step, gradient);
    w = descend(w, step, value_here, decrement);
  }
  if (ridge_ == 0 && separates(w)) return {};
  return w;
}

std::vector<double> LogisticLoss::descend(std::span<const double> w, std::span<const double> step,
                                          double value_here, double decrement) const {
  constexpr double kShortest = 1e-6, kRounding = 1e-15;
  std::vector<double> trial(w.size()), gradient(w.size());
  for (double length = 1;; length /= 2) {
    for (std::size_t j = 0; j < w.size(); ++j) trial[j] = w[j] - length * step[j];
    const double enough = value_here * (1 + kRounding) - length * decrement / 4;
    if (length < kShortest || value(trial, gradient) <= enough) return trial;
  }
}

bool LogisticLoss::separates(std::span<const double> w) const {
  for (std::size_t i = 0; i < features_.samples(); ++i)
    if (double{features_.signs[i]} * inner_product(w, features_.sample(i)) <= 0) return false;
  return true;
}

namespace {

/// The samples of a batch are drawn with replacement, as theorems assume: number s of a worker is a
/// function of (seed, worker, s) alone, whatever the batch sizes are.
std::vector<std::uint32_t> draw_samples(const ProblemBatch& batch, std::size_t population) {
  std::vector<std::uint32_t> samples(batch.size);
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
        exact_gradient_(settings.exact_gradient),
        loss_(std::move(features), settings.ridge) {
    check(settings.noise.relative == 0 || exact_gradient_,
          "relative noise is added to an exact gradient");
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
  std::size_t data_bytes() const override {
    return (loss_.features().values.size() + loss_.features().signs.size()) * sizeof(float);
  }
  void initial_point(std::span<float> x) const override { std::ranges::fill(x, 0.0F); }

  double value(std::span<const float> x, std::span<double> gradient) const override {
    return loss_.value(std::vector<double>(x.begin(), x.end()), gradient);
  }

 private:
  double batch_gradient(std::span<const float> x, const ProblemBatch& batch,
                        std::span<double> gradient) const override {
    if (exact_gradient_) return value(x, gradient);
    return loss_.value(std::vector<double>(x.begin(), x.end()),
                       draw_samples(batch, loss_.features().samples()), gradient);
  }

  bool exact_gradient_;
  LogisticLoss loss_;
};

/// Reads the keys that follow those of the features.
LogisticSettings read_logistic_settings(Options& options) {
  LogisticSettings settings;
  settings.ridge = options.number(
      "ridge", {.fallback = settings.ridge,
                .min = 0,
                .max = 1e6,
                .meaning = "mu: this times half the squared norm of all weights, bias included, is "
                           "added to the loss; 0 needs data that no hyperplane separates"});
  settings.exact_gradient = options.choice<bool>(
      "gradient", {.fallback = settings.exact_gradient,
                   .choices = {{"samples", false}, {"exact", true}},
                   .meaning = "mean over samples drawn with replacement, or over "
                              "all of them whatever the batch size"});
  settings.trace = read_trace(options);
  settings.noise = read_gradient_noise(options);
  if (settings.noise.relative > 0 && !settings.exact_gradient)
    options.fail("relative_noise", "found with 'gradient: samples', needs 'gradient: exact'");
  return settings;
}

}  // namespace

ProblemFactory make_logistic_regression(const ImageFeatures& features,
                                        const LogisticSettings& settings) {
  return {.needs_images = true, .trace = settings.trace, .make = [=](const LabelledImages& images) {
            return std::make_unique<const LogisticRegression>(binary_features(images, features),
                                                              settings);
          }};
}

ProblemFactory make_logistic_regression(Options& options) {
  ImageFeatures features;
  const auto samples = options.integer<std::size_t>(
      "samples", {.fallback = 0,
                  .min = 0,
                  .max = 10'000'000,
                  .meaning = "the first so many training images make the problem, 0: all"});
  if (samples > 0) features.samples = samples;
  features.pool = options.integer<int>(
      "pool", {.fallback = features.pool,
               .min = 1,
               .max = 32,
               .meaning = "features are means over squares of so many pixels a side; the minimum "
                          "costs samples x features^2"});
  return make_logistic_regression(features, read_logistic_settings(options));
}

ProblemFactory make_generated_logistic_regression(const GeneratedFeatures& features,
                                                  const LogisticSettings& settings) {
  return {.trace = settings.trace, .make = [=](const LabelledImages&) {
            return std::make_unique<const LogisticRegression>(generate_binary_features(features),
                                                              settings);
          }};
}

ProblemFactory make_generated_logistic_regression(Options& options) {
  GeneratedFeatures features;
  features.samples = options.integer<std::size_t>(
      "samples", {.fallback = features.samples, .min = 1, .max = 10'000'000, .meaning = "n"});
  features.features = options.integer<std::size_t>(
      "features", {.fallback = features.features,
                   .min = 1,
                   .max = 10'000,
                   .meaning = "of a sample, beside its bias: independent standard normal numbers"});
  features.signal = options.number(
      "signal", {.fallback = features.signal,
                 .min = 0,
                 .max = 1e3,
                 .meaning = "norm of the weights that labels are drawn by, with the probabilities "
                            "of logistic regression; 0: labels by chance"});
  features.seed = options.integer<std::uint64_t>(
      "generator_seed",
      {.fallback = features.seed,
       .meaning = "which samples are generated; the seed of the run has no part in it"});
  return make_generated_logistic_regression(features, read_logistic_settings(options));
}

}  // namespace localbatch
