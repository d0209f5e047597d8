#include <algorithm>
#include <cmath>

#include "core/aligned_buffer.h"
#include "core/error.h"
#include "optim/adam.h"
#include "optim/inner_optimizer.h"
#include "optim/scaled_gradient.h"

namespace localbatch {

AdamParameters::AdamParameters(const ParameterLayout& layout, Decay decay)
    : state_size_(layout.size) {
  auto vector = decay == Decay::kMatrices ? layout.vectors.begin() : layout.vectors.end();
  const auto add_until_matrix = [&](std::size_t first) {
    for (; vector != layout.vectors.end() && vector->first < first; ++vector) {
      add_until(vector->first, /*decays=*/true);
      add_until(vector->first + vector->size, /*decays=*/false);
    }
    add_until(first, /*decays=*/true);
  };
  for (const ParameterLayout::Matrix& matrix : layout.hidden_matrices) {
    add_until_matrix(matrix.first);
    done_ = matrix.first + matrix.size();
  }
  add_until_matrix(layout.size);
}

void AdamParameters::add_until(std::size_t last, bool decays) {
  if (done_ == last) return;
  parts_.push_back({{done_, last - done_}, state_size_, decays});
  state_size_ += last - done_;
  done_ = last;
}

void move_by_adam(const AdamStep& step, std::span<const float> gradient, float* x, float* m,
                  float* v) {
  const auto [keep, rate, root, epsilon, beta1, beta2, rest1, rest2] = step;
  const float* const g = gradient.data();
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    m[i] = beta1 * m[i] + rest1 * g[i];
    v[i] = beta2 * v[i] + rest2 * g[i] * g[i];
    x[i] = keep * x[i] - rate * m[i] / (std::sqrt(v[i]) / root + epsilon);
  }
}

void AdamParameters::move(std::size_t first, std::size_t last, const AdamStep& step,
                          double gradient_factor, std::span<const float> gradient,
                          std::span<float> parameters, std::span<float> state) const {
  AdamStep without_decay = step;
  without_decay.keep = 1;
  auto part = std::ranges::partition_point(parts_, [first](const Part& before) {
    return before.places.first + before.places.size <= first;
  });
  for (; part != parts_.end() && part->places.first < last; ++part) {
    const std::size_t begin = part->places.first;
    const std::size_t from = std::max(begin, first);
    const std::size_t to = std::min(begin + part->places.size, last);
    float* const second_moments = state.data() + part->second_moments;
    for_scaled(gradient.subspan(from, to - from), gradient_factor,
               [&](std::size_t offset, std::span<const float> g) {
                 const std::size_t place = from + offset;
                 move_by_adam(part->decays ? step : without_decay, g, parameters.data() + place,
                              state.data() + place, second_moments + (place - begin));
               });
  }
}

namespace {

ParameterLayout without_matrices(ParameterLayout layout) {
  layout.hidden_matrices.clear();
  return layout;
}

/// torch.optim.AdamW, for parameters x, gradient g, learning rate lr, at step t = 1, 2, ...:
///   x -= lr weight_decay x,  m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
///   x -= lr/(1 - beta1^t) m / (sqrt(v)/sqrt(1 - beta2^t) + epsilon).
class AdamW final : public InnerOptimizer {
 public:
  AdamW(const AdamwSettings& settings, const ParameterLayout& parameters)
      : settings_(settings),
        parameters_(without_matrices(parameters), settings.decay),
        moments_(parameters_.state_size()) {}

  void step(std::span<float> parameters, std::span<const float> gradient, const StepSize& size,
            const ParallelFor& parallel_for) override {
    const std::size_t count = parameters.size();
    check(count == gradient.size(), "a gradient has one number per parameter");
    check(2 * count == moments_.size(), "an optimizer always sees the same parameters");
    ++steps_;
    const AdamStep adam = adam_step(settings_, size.learning_rate, steps_);
    parallel_for(count, [&](std::size_t first, std::size_t last) {
      parameters_.move(first, last, adam, size.gradient_factor, gradient, parameters,
                       moments_.span());
    });
  }

  std::span<float> state() override { return moments_.span(); }
  std::int64_t& steps() override { return steps_; }

 private:
  AdamwSettings settings_;
  AdamParameters parameters_;
  AlignedBuffer<float> moments_;  ///< m of every parameter, then v of every parameter
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
  read_moments(options, settings);
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
