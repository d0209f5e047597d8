#include "problems/problem.h"

#include <array>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/random.h"
#include "problems/logistic_regression.h"
#include "problems/noisy_problems.h"

namespace localbatch {

namespace {

constexpr std::array<PartRow<ProblemFactory>, 4> kTable{{
    {.name = "quadratic",
     .summary = "a quadratic with a geometric spectrum; noise by formula, no data",
     .make = make_quadratic,
     .formula =
         "F(x) = 1/2 sum_i lambda_i x_i^2, lambda_i geometric from smallest to largest_eigenvalue",
     .source = "textbook; its floor under a constant batch: experiments/theory/README.md"},
    {.name = "cosine",
     .summary = "smooth and not convex; noise by formula, no data",
     .make = make_cosine,
     .formula = "F(x) = sum_i (1 - cos x_i)",
     .source = "our own example of a smooth objective that is not convex"},
    {.name = "logistic_regression",
     .summary =
         "binary logistic regression with ridge on the training images of a data set: is the "
         "class in the lower half of the classes?",
     .make = make_logistic_regression,
     .formula = "F(x) = mean_i log(1 + exp(-s_i <x, a_i>)) + ridge/2 |x|^2",
     .source = "textbook; L = largest eigenvalue of A'A/(4 n) + ridge"},
    {.name = "generated_logistic_regression",
     .summary = "binary logistic regression with ridge on generated samples, no data set needed",
     .make = make_generated_logistic_regression,
     .formula = "F(x) = mean_i log(1 + exp(-s_i <x, a_i>)) + ridge/2 |x|^2",
     .source = "textbook; L = largest eigenvalue of A'A/(4 n) + ridge"},
}};

}  // namespace

std::span<const PartRow<ProblemFactory>> problem_table() { return kTable; }

bool read_trace(Options& options) {
  return options.flag(
      "trace", {.fallback = false,
                .meaning = "an instrument: averages the parameters before every local step as "
                           "well, to watch F at the workers' mean; no influence on the method"});
}

GradientNoise read_gradient_noise(Options& options) {
  GradientNoise noise;
  noise.variance = options.number(
      "noise_variance", {.fallback = 0,
                         .min = 0,
                         .max = 1e12,
                         .meaning = "s2: normal noise of this variance in every coordinate of one "
                                    "sample's gradient, s2/b in the mean of b samples"});
  noise.relative = options.number(
      "relative_noise", {.fallback = 0,
                         .min = 0,
                         .max = 1e3,
                         .meaning = "eta: noise of random direction and of length eta |grad F(x)| "
                                    "in a worker's gradient, whatever the batch size: the "
                                    "assumption of the norm test's theory, with equality"});
  return noise;
}

namespace {

double norm(std::span<const double> x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

}  // namespace

void add_noise(const GradientNoise& noise, const ProblemBatch& batch, std::span<double> gradient) {
  if (noise.variance == 0 && noise.relative == 0) return;
  RandomStream random(batch.seed, Purpose::kProblemNoise, static_cast<std::uint64_t>(batch.first),
                      static_cast<std::uint32_t>(batch.worker));
  const double relative_length = noise.relative * norm(gradient);
  const double deviation = std::sqrt(noise.variance / batch.size);
  if (deviation > 0)
    for (double& g : gradient) g += deviation * double{random.normal()};
  if (relative_length > 0) {
    // A normal vector has no preferred direction.
    std::vector<double> direction(gradient.size());
    for (double& d : direction) d = double{random.normal()};
    const double scale = relative_length / norm(direction);
    for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] += scale * direction[i];
  }
}

std::optional<double> Problem::squared_distance(std::span<const float> x) const {
  if (facts_.minimizer.empty()) return {};
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double difference = double{x[i]} - facts_.minimizer[i];
    sum += difference * difference;
  }
  return sum;
}

double Problem::sampled_gradient(std::span<const float> x, const ProblemBatch& batch,
                                 std::span<double> gradient) const {
  check(x.size() == dimension() && gradient.size() == dimension(),
        "a point and its gradient have the problem's dimension");
  const double loss = batch_gradient(x, batch, gradient);
  add_noise(noise_, batch, gradient);
  return loss;
}

double Problem::batch_gradient(std::span<const float> x, const ProblemBatch&,
                               std::span<double> gradient) const {
  return value(x, gradient);
}

}  // namespace localbatch
