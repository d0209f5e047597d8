#include <algorithm>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/error.h"
#include "optim/adam_step.h"
#include "optim/inner_optimizer.h"
#include "optim/scaled_gradient.h"

namespace localbatch {

namespace {

/// torch.optim.AdamW, for parameters x, gradient g, learning rate lr, at step t = 1, 2, ...:
///   x -= lr weight_decay x,  m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
///   x -= lr/(1 - beta1^t) m / (sqrt(v)/sqrt(1 - beta2^t) + epsilon).
class AdamW final : public InnerOptimizer {
 public:
  AdamW(const AdamwSettings& settings, const ParameterLayout& parameters)
      : settings_(settings), moments_(2 * parameters.size) {
    if (settings.decay == Decay::kMatrices) not_decayed_ = parameters.vectors;
  }

  void step(std::span<float> parameters, std::span<const float> gradient, const StepSize& size,
            const ParallelFor& parallel_for) override {
    const std::size_t count = parameters.size();
    check(count == gradient.size(), "a gradient has one number per parameter");
    check(2 * count == moments_.size(), "an optimizer always sees the same parameters");
    ++steps_;
    const AdamStep constants = adam_step(settings_, size.learning_rate, steps_);
    parallel_for(count, [&](std::size_t first, std::size_t last) {
      for_scaled(gradient.subspan(first, last - first), size.gradient_factor,
                 [&](std::size_t offset, std::span<const float> g) {
                   move(parameters, g, first + offset, constants);
                 });
    });
  }

  std::span<float> state() override { return moments_.span(); }
  std::int64_t& steps() override { return steps_; }

 private:
  /// The parameters from place `first` on that g has numbers for, stretch by stretch of those that
  /// decay and those that do not.
  void move(std::span<float> parameters, std::span<const float> g, std::size_t first,
            const AdamStep& constants) {
    const std::size_t last = first + g.size();
    AdamStep without_decay = constants;
    without_decay.keep = 1;
    const auto part = [&](std::size_t from, std::size_t to, const AdamStep& with) {
      if (from < to) move_alike(parameters, g.subspan(from - first, to - from), from, with);
    };
    std::size_t done = first;
    auto stretch = std::ranges::partition_point(
        not_decayed_, [first](const auto& vector) { return vector.first + vector.size <= first; });
    for (; stretch != not_decayed_.end() && stretch->first < last; ++stretch) {
      const std::size_t from = std::max(stretch->first, first);
      const std::size_t to = std::min(stretch->first + stretch->size, last);
      part(done, from, constants);
      part(from, to, without_decay);
      done = to;
    }
    part(done, last, constants);
  }

  void move_alike(std::span<float> parameters, std::span<const float> gradient, std::size_t first,
                  const AdamStep& constants) {
    float* const m = moments_.data() + first;
    move_by_adam(constants, gradient, parameters.data() + first, m, m + parameters.size());
  }

  AdamwSettings settings_;
  AlignedBuffer<float> moments_;  ///< m of every parameter, then v of every parameter
  std::vector<ParameterLayout::Stretch> not_decayed_;
  std::int64_t steps_ = 0;
};

}  // namespace

InnerOptimizerFactory make_adamw(const AdamwSettings& settings) {
  return {.at_sync = settings.at_sync,
          .make =
              [settings](const ParameterLayout& parameters) {
                return std::make_unique<AdamW>(settings, parameters);
              },
          .clip_norm = settings.clip_norm};
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
  settings.decay = options.choice<Decay>(
      "decay", {.fallback = settings.decay,
                .choices = {{"all", Decay::kAll}, {"matrices", Decay::kMatrices}},
                .meaning = "parameters that weight_decay shrinks: all, or those of tensors with "
                           "two or more dimensions, without biases and scales of normalizations "
                           "(what language models are trained with)"});
  settings.clip_norm = read_clip_norm(options);
  settings.at_sync =
      read_at_sync(options,
                   "what a synchronization does to each worker's moments: keep them, average "
                   "them over workers, or reset them and the step count to 0");
  return make_adamw(settings);
}

}  // namespace localbatch
