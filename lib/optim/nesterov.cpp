#include <vector>

#include "core/error.h"
#include "optim/outer_optimizer.h"

namespace localbatch {

namespace {

/// The outer optimizer of DiLoCo (Douillard et al. 2023): SGD with Nesterov momentum on the pseudo
/// gradient, the difference between the global parameters and the workers' mean,
///   pseudo_gradient = x_k - mean,
///   buffer          = momentum buffer + pseudo_gradient,
///   x_{k+1}         = x_k - learning_rate (pseudo_gradient + momentum buffer),
/// as PyTorch defines it.
class Nesterov final : public OuterOptimizer {
 public:
  Nesterov(float learning_rate, float momentum, std::size_t parameter_count)
      : learning_rate_(learning_rate), momentum_(momentum), buffer_(parameter_count) {}

  void step(std::span<float> global, std::span<const float> mean_local,
            double /*learning_rate*/) override {
    check(global.size() == mean_local.size() && global.size() == buffer_.size(),
          "global and local parameters are of one length");
    for (std::size_t i = 0; i < global.size(); ++i) {
      const float pseudo_gradient = global[i] - mean_local[i];
      buffer_[i] = momentum_ * buffer_[i] + pseudo_gradient;
      // From the mean, so that a rate of 1 without momentum is averaging to the last bit.
      const float wanted = learning_rate_ * (pseudo_gradient + momentum_ * buffer_[i]);
      global[i] = mean_local[i] + (pseudo_gradient - wanted);
    }
  }

  std::span<float> state() override { return buffer_; }

 private:
  float learning_rate_, momentum_;
  std::vector<float> buffer_;
};

}  // namespace

OuterOptimizerMaker make_nesterov(Options& options) {
  const auto learning_rate = static_cast<float>(options.number(
      "learning_rate", {.fallback = 0.7,
                        .min = 0,
                        .max = 1e3,
                        .meaning = "factor of the outer step (0.7: OpenDiLoCo's default)"}));
  const auto momentum = static_cast<float>(
      options.number("momentum", {.fallback = 0.9,
                                  .min = 0,
                                  .max = 1,
                                  .meaning = "share of the buffer that stays from one round to the "
                                             "next (0.9: OpenDiLoCo's default)"}));
  return [=](std::size_t parameter_count) {
    return std::make_unique<Nesterov>(learning_rate, momentum, parameter_count);
  };
}

}  // namespace localbatch
