#include "core/aligned_buffer.h"
#include "core/error.h"
#include "optim/inner_optimizer.h"
#include "optim/scaled_gradient.h"

namespace localbatch {

namespace {

/// torch.optim.SGD with dampening 0, for parameters x, gradient f and learning rate lr:
///   g = f + weight_decay x,  u = momentum u + g,  x -= lr u  (Nesterov: x -= lr (g + momentum u)).
/// PyTorch's first step sets u = g, which is what u = 0 before it gives.
class Sgd final : public InnerOptimizer {
 public:
  Sgd(const SgdSettings& settings, const ParameterLayout& parameters)
      : momentum_(static_cast<float>(settings.momentum)),
        weight_decay_(static_cast<float>(settings.weight_decay)),
        nesterov_(settings.nesterov),
        velocity_(momentum_ > 0 ? parameters.size : 0) {}

  void step(std::span<float> parameters, std::span<const float> gradient, const StepSize& size,
            const ParallelFor& parallel_for) override {
    check(parameters.size() == gradient.size(), "a gradient has one number per parameter");
    const float rate = static_cast<float>(size.learning_rate);
    ++steps_;
    check(momentum_ == 0 || parameters.size() == velocity_.size(),
          "an optimizer always sees the same parameters");
    parallel_for(parameters.size(), [&](std::size_t first, std::size_t last) {
      for_scaled(gradient.subspan(first, last - first), size.gradient_factor,
                 [&](std::size_t offset, std::span<const float> f) {
                   move(parameters.subspan(first + offset, f.size()), f, first + offset, rate);
                 });
    });
  }

  std::span<float> state() override { return velocity_.span(); }
  std::int64_t& steps() override { return steps_; }

 private:
  /// The parameters from place `first` on.
  void move(std::span<float> x, std::span<const float> gradient, std::size_t first, float rate) {
    if (momentum_ == 0) return descend(x, gradient, rate);
    const std::span<float> u = velocity_.span().subspan(first, x.size());
    if (nesterov_)
      descend_with_momentum<true>(x, gradient, u, rate);
    else
      descend_with_momentum<false>(x, gradient, u, rate);
  }

  void descend(std::span<float> x, std::span<const float> gradient, float rate) const {
    const float decay = weight_decay_;
    for (std::size_t i = 0; i < x.size(); ++i) x[i] -= rate * (gradient[i] + decay * x[i]);
  }

  template <bool kNesterov>
  void descend_with_momentum(std::span<float> x, std::span<const float> gradient,
                             std::span<float> u, float rate) const {
    const float momentum = momentum_;
    const float decay = weight_decay_;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float g = gradient[i] + decay * x[i];
      u[i] = momentum * u[i] + g;
      x[i] -= rate * (kNesterov ? g + momentum * u[i] : u[i]);
    }
  }

  float momentum_, weight_decay_;
  bool nesterov_;
  AlignedBuffer<float> velocity_;
  std::int64_t steps_ = 0;
};

}  // namespace

InnerOptimizerFactory make_sgd(const SgdSettings& settings) {
  check(!settings.nesterov || settings.momentum > 0, "Nesterov's step has momentum");
  InnerOptimizerFactory factory{.at_sync = settings.at_sync,
                                .make =
                                    [settings](const ParameterLayout& parameters) {
                                      return std::make_unique<Sgd>(settings, parameters);
                                    },
                                .clip_norm = settings.clip_norm};
  // The momentum that steps have, in f32. A gradient that is shortened is no linear part of a step.
  if (settings.clip_norm == 0)
    factory.linear = LinearSteps{.momentum = double{static_cast<float>(settings.momentum)},
                                 .nesterov = settings.nesterov};
  return factory;
}

InnerOptimizerFactory make_sgd(Options& options) {
  SgdSettings settings;
  settings.momentum = options.number(
      "momentum", {.fallback = settings.momentum,
                   .min = 0,
                   .max = 0.9999,
                   .meaning = "share of the previous step's velocity that is kept (heavy ball); "
                              "0: plain SGD without state"});
  settings.nesterov =
      options.flag("nesterov", {.fallback = settings.nesterov,
                                .meaning = "step along the gradient plus the velocity after it "
                                           "(Nesterov); needs momentum above 0"});
  settings.weight_decay = options.number(
      "weight_decay", {.fallback = settings.weight_decay,
                       .min = 0,
                       .max = 1e3,
                       .meaning = "this factor times each parameter is added to its gradient (L2 "
                                  "penalty)"});
  settings.clip_norm = read_clip_norm(options);
  if (settings.nesterov && settings.momentum == 0)
    options.fail("nesterov", "found true with momentum 0, needs momentum above 0");
  settings.at_sync =
      read_at_sync(options,
                   "what a synchronization does to each worker's velocity: keep it, average "
                   "it over workers, or reset it to 0");
  return make_sgd(settings);
}

}  // namespace localbatch
