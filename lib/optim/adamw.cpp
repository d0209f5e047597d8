#include <cmath>

#include "core/aligned_buffer.h"
#include "core/error.h"
#include "optim/inner_optimizer.h"

namespace localbatch {

namespace {

/// torch.optim.AdamW, for parameters x, gradient g, learning rate lr, at step t = 1, 2, ...:
///   x -= lr weight_decay x,  m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
///   x -= lr/(1 - beta1^t) m / (sqrt(v)/sqrt(1 - beta2^t) + epsilon).
class AdamW final : public InnerOptimizer {
 public:
  AdamW(const AdamwSettings& settings, std::size_t parameter_count)
      : settings_(settings), moments_(2 * parameter_count) {}

  void step(std::span<float> parameters, std::span<const float> gradient, double learning_rate,
            const ParallelFor& parallel_for) override {
    const std::size_t count = parameters.size();
    check(count == gradient.size(), "a gradient has one number per parameter");
    check(2 * count == moments_.size(), "an optimizer always sees the same parameters");
    ++steps_;
    const double t = static_cast<double>(steps_);
    const float keep = static_cast<float>(1 - learning_rate * settings_.weight_decay);
    const float rate = static_cast<float>(learning_rate / (1 - std::pow(settings_.beta1, t)));
    const float root = static_cast<float>(std::sqrt(1 - std::pow(settings_.beta2, t)));
    const float epsilon = static_cast<float>(settings_.epsilon);
    const float beta1 = static_cast<float>(settings_.beta1);
    const float beta2 = static_cast<float>(settings_.beta2);
    // 1 - beta in float would lose the digits of a beta near 1.
    const float rest1 = static_cast<float>(1 - settings_.beta1);
    const float rest2 = static_cast<float>(1 - settings_.beta2);

    float* const x = parameters.data();
    const float* const g = gradient.data();
    float* const m = moments_.data();
    float* const v = m + count;
    parallel_for(count, [=](std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i) {
        m[i] = beta1 * m[i] + rest1 * g[i];
        v[i] = beta2 * v[i] + rest2 * g[i] * g[i];
        x[i] = keep * x[i] - rate * m[i] / (std::sqrt(v[i]) / root + epsilon);
      }
    });
  }

  std::span<float> state() override { return moments_.span(); }
  std::int64_t& steps() override { return steps_; }

 private:
  AdamwSettings settings_;
  AlignedBuffer<float> moments_;  ///< m of every parameter, then v of every parameter
  std::int64_t steps_ = 0;
};

}  // namespace

InnerOptimizerFactory make_adamw(const AdamwSettings& settings) {
  return {settings.at_sync,
          [settings](std::size_t count) { return std::make_unique<AdamW>(settings, count); }};
}

InnerOptimizerFactory make_adamw(Options& options) {
  AdamwSettings settings;
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
  settings.weight_decay = options.number(
      "weight_decay", {.fallback = settings.weight_decay,
                       .min = 0,
                       .max = 1e3,
                       .meaning = "each step shrinks parameters by this factor times the learning "
                                  "rate (decoupled from the gradient)"});
  settings.at_sync =
      read_at_sync(options,
                   "what a synchronization does to each worker's moments: keep them, average "
                   "them over workers, or reset them and the step count to 0");
  return make_adamw(settings);
}

}  // namespace localbatch
