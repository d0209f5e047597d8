#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/options.h"
#include "optim/inner_optimizer.h"

namespace localbatch {

// What adamw does with all parameters, muon with those that are no hidden matrices, and an outer
// optimizer with the mean move of the workers.

/// The constants of one step of Adam, in f32.
struct AdamStep {
  float keep, rate, root, epsilon, beta1, beta2, rest1, rest2;
};

/// Step t = 1, 2, ... for anything that has the numbers of AdamwSettings.
template <class Settings>
AdamStep adam_step(const Settings& settings, double learning_rate, std::int64_t step) {
  const auto t = static_cast<double>(step);
  return {.keep = static_cast<float>(1 - learning_rate * settings.weight_decay),
          .rate = static_cast<float>(learning_rate / (1 - std::pow(settings.beta1, t))),
          .root = static_cast<float>(std::sqrt(1 - std::pow(settings.beta2, t))),
          .epsilon = static_cast<float>(settings.epsilon),
          .beta1 = static_cast<float>(settings.beta1),
          .beta2 = static_cast<float>(settings.beta2),
          // 1 - beta in float would lose the digits of a beta near 1.
          .rest1 = static_cast<float>(1 - settings.beta1),
          .rest2 = static_cast<float>(1 - settings.beta2)};
}

/// Moves as many parameters x with moments m and v as there are gradients g:
///   m = beta1 m + rest1 g,  v = beta2 v + rest2 g^2,  x = keep x - rate m/(sqrt(v)/root +
///   epsilon).
void move_by_adam(const AdamStep& step, std::span<const float> gradient, float* x, float* m,
                  float* v);

/// The parameters that Adam moves, and where their moments are: a first moment m in the place of
/// its parameter, and the second moments v one behind the other after the places of all parameters.
class AdamParameters {
 public:
  /// All but hidden matrices. `decay`: whether vectors decay as well.
  AdamParameters(const ParameterLayout& layout, Decay decay);

  /// Numbers in a flat array with a place for every parameter and these second moments.
  std::size_t state_size() const { return state_size_; }

  /// move_by_adam() for those of the places first .. last - 1, with their gradient times a factor.
  void move(std::size_t first, std::size_t last, const AdamStep& step, double gradient_factor,
            std::span<const float> gradient, std::span<float> parameters,
            std::span<float> state) const;

 private:
  /// Neighbours that decay, or do not, and the place of their second moments.
  struct Part {
    ParameterLayout::Stretch places;
    std::size_t second_moments = 0;
    bool decays = false;
  };
  void add_until(std::size_t last, bool decays);

  std::vector<Part> parts_;
  std::size_t done_ = 0, state_size_ = 0;
};

/// Reads `beta1`, `beta2` and `epsilon`, whose defaults the settings hold.
template <class Settings>
void read_moments(Options& options, Settings& settings) {
  settings.beta1 = options.number(
      "beta1", {.fallback = settings.beta1,
                .min = 0,
                .max = 0.9999,
                .meaning = "share of the first moment (mean gradient) that each step keeps"});
  settings.beta2 = options.number(
      "beta2", {.fallback = settings.beta2,
                .min = 0,
                .max = 0.999999,
                .meaning = "share of the second moment (mean squared gradient) that each step "
                           "keeps"});
  settings.epsilon = options.number(
      "epsilon", {.fallback = settings.epsilon,
                  .min = 1e-30,
                  .max = 1,
                  .meaning = "added to the root of the second moment before dividing by it"});
}

}  // namespace localbatch
