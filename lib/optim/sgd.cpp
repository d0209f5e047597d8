#include "core/aligned_buffer.h"
#include "core/error.h"
#include "optim/inner_optimizer.h"

namespace localbatch {

namespace {

/// torch.optim.SGD with dampening 0, for parameters x, gradient f and learning rate lr:
///   g = f + weight_decay x,  u = momentum u + g,  x -= lr u  (Nesterov: x -= lr (g + momentum u)).
/// PyTorch's first step sets u = g, which is what u = 0 before it gives.
class Sgd final : public InnerOptimizer {
 public:
  Sgd(const SgdSettings& settings, std::size_t parameter_count)
      : momentum_(static_cast<float>(settings.momentum)),
        weight_decay_(static_cast<float>(settings.weight_decay)),
        nesterov_(settings.nesterov),
        velocity_(momentum_ > 0 ? parameter_count : 0) {}

  void step(std::span<float> parameters, std::span<const float> gradient, double learning_rate,
            const ParallelFor& parallel_for) override {
    check(parameters.size() == gradient.size(), "a gradient has one number per parameter");
    const float rate = static_cast<float>(learning_rate);
    ++steps_;
    check(momentum_ == 0 || parameters.size() == velocity_.size(),
          "an optimizer always sees the same parameters");
    parallel_for(parameters.size(), [&](std::size_t first, std::size_t last) {
      const auto x = parameters.subspan(first, last - first);
      const auto f = gradient.subspan(first, last - first);
      if (momentum_ == 0)
        descend(x, f, rate);
      else if (nesterov_)
        descend_with_momentum<true>(x, f, velocity_.span().subspan(first, last - first), rate);
      else
        descend_with_momentum<false>(x, f, velocity_.span().subspan(first, last - first), rate);
    });
  }

  std::span<float> state() override { return velocity_.span(); }
  std::int64_t& steps() override { return steps_; }

 private:
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
  // The momentum that steps have, in f32.
  const double momentum = double{static_cast<float>(settings.momentum)};
  return {settings.at_sync,
          [settings](std::size_t count) { return std::make_unique<Sgd>(settings, count); },
          LinearSteps{.momentum = momentum, .nesterov = settings.nesterov}};
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
  if (settings.nesterov && settings.momentum == 0)
    options.fail("nesterov", "found true with momentum 0, needs momentum above 0");
  settings.at_sync =
      read_at_sync(options,
                   "what a synchronization does to each worker's velocity: keep it, average "
                   "it over workers, or reset it to 0");
  return make_sgd(settings);
}

}  // namespace localbatch
