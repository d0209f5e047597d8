#include <vector>

#include "core/error.h"
#include "optim/outer_optimizer.h"

namespace localbatch {

namespace {

/// SlowMo (Wang, Tantia, Ballas and Rabbat 2020). With the inner learning rate gamma,
///   u       = momentum u + (x_k - mean)/gamma,
///   x_{k+1} = x_k - learning_rate gamma u.
/// Kept is gamma u, which is what the parameters move by, and gamma itself: when gamma changes, so
/// does what is kept. A round with gamma = 0 moves nothing and leaves u as it is.
class SlowMo final : public OuterOptimizer {
 public:
  SlowMo(float learning_rate, float momentum, std::size_t parameter_count)
      : learning_rate_(learning_rate), momentum_(momentum), state_(parameter_count + 1) {}

  void step(std::span<float> global, std::span<const float> mean_local,
            double learning_rate) override {
    check(global.size() == mean_local.size() && global.size() + 1 == state_.size(),
          "global and local parameters are of one length");
    const auto gamma = static_cast<float>(learning_rate);
    if (gamma == 0) return;
    float& last_gamma = state_.back();
    const float kept = last_gamma == 0 ? 0 : momentum_ * (gamma / last_gamma);
    last_gamma = gamma;
    for (std::size_t i = 0; i < global.size(); ++i) {
      const float pseudo_gradient = global[i] - mean_local[i];
      state_[i] = kept * state_[i] + pseudo_gradient;
      // From the mean, so that a rate of 1 without momentum is averaging to the last bit.
      global[i] = mean_local[i] + (pseudo_gradient - learning_rate_ * state_[i]);
    }
  }

  /// gamma u, then gamma.
  std::span<float> state() override { return state_; }

 private:
  float learning_rate_, momentum_;
  std::vector<float> state_;
};

}  // namespace

OuterOptimizerMaker make_slowmo(Options& options) {
  const auto learning_rate = static_cast<float>(
      options.number("learning_rate", {.fallback = 1,
                                       .min = 0,
                                       .max = 1e3,
                                       .meaning = "factor of the outer step (1: FairScale's "
                                                  "default)"}));
  const auto momentum = static_cast<float>(options.number(
      "momentum", {.fallback = 0.5,
                   .min = 0,
                   .max = 1,
                   .meaning = "share of the slow buffer that stays from one round to the next "
                              "(FairScale recommends 0 for less than 4 nodes, 0.2 for 4, 0.5 for "
                              "8, 0.6 for 16)"}));
  return [=](std::size_t parameter_count) {
    return std::make_unique<SlowMo>(learning_rate, momentum, parameter_count);
  };
}

}  // namespace localbatch
