#include "problems/gradient_noise.h"

#include <cmath>
#include <numeric>
#include <vector>

#include "core/random.h"

namespace localbatch {

namespace {

double norm(std::span<const double> x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

}  // namespace

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

}  // namespace localbatch
