#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace localbatch {

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

/// Moves parameters x with the moments m and v along their gradient, all equally long:
///   m = beta1 m + rest1 g,  v = beta2 v + rest2 g^2,  x = keep x - rate m / (sqrt(v)/root +
///   epsilon).
inline void move_by_adam(const AdamStep& step, std::span<const float> gradient, float* x, float* m,
                         float* v) {
  const auto [keep, rate, root, epsilon, beta1, beta2, rest1, rest2] = step;
  const float* const g = gradient.data();
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    m[i] = beta1 * m[i] + rest1 * g[i];
    v[i] = beta2 * v[i] + rest2 * g[i] * g[i];
    x[i] = keep * x[i] - rate * m[i] / (std::sqrt(v[i]) / root + epsilon);
  }
}

}  // namespace localbatch
