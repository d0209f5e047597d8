#include "optim/outer_optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/error.h"
#include "optim/adam.h"

namespace localbatch {

namespace {

class Averaging final : public OuterOptimizer {
 public:
  void step(std::span<float> global, std::span<const float> mean_local,
            const OuterStep& /*size*/) override {
    check(global.size() == mean_local.size(), "global and local parameters are of one length");
    std::ranges::copy(mean_local, global.begin());
  }

  std::span<float> state() override { return {}; }
};

/// The outer optimizer of DiLoCo (Douillard et al. 2023): SGD with Nesterov momentum on the pseudo
/// gradient, the difference between the global parameters and the workers' mean,
///   pseudo_gradient = x_k - mean,
///   buffer          = momentum buffer + pseudo_gradient,
///   x_{k+1}         = x_k - learning_rate (pseudo_gradient + momentum buffer),
/// as PyTorch defines it.
class Nesterov final : public OuterOptimizer {
 public:
  Nesterov(const NesterovSettings& settings, std::size_t parameter_count)
      : learning_rate_(settings.learning_rate),
        momentum_(static_cast<float>(settings.momentum)),
        buffer_(parameter_count) {}

  void step(std::span<float> global, std::span<const float> mean_local,
            const OuterStep& size) override {
    check(global.size() == mean_local.size() && global.size() == buffer_.size(),
          "global and local parameters are of one length");
    const auto learning_rate = static_cast<float>(learning_rate_.at(size.elapsed));
    for (std::size_t i = 0; i < global.size(); ++i) {
      const float pseudo_gradient = global[i] - mean_local[i];
      buffer_[i] = momentum_ * buffer_[i] + pseudo_gradient;
      // The sum starts from the mean, so that a rate of 1 without momentum is averaging to the last
      // bit.
      const float wanted = learning_rate * (pseudo_gradient + momentum_ * buffer_[i]);
      global[i] = mean_local[i] + (pseudo_gradient - wanted);
    }
  }

  std::span<float> state() override { return buffer_; }

 private:
  OuterRate learning_rate_;
  float momentum_;
  std::vector<float> buffer_;
};

/// SlowMo (Wang, Tantia, Ballas and Rabbat 2020). With the inner learning rate gamma,
///   u       = momentum u + (x_k - mean)/gamma,
///   x_{k+1} = x_k - learning_rate gamma u.
/// The state is gamma u, by which the parameters move, and gamma itself: when gamma changes, gamma
/// u is rescaled. Where gamma, the rate of a round's last local step, is 0, u stays as it is and
/// the round ends at the mean: earlier steps may have moved the workers.
class SlowMo final : public OuterOptimizer {
 public:
  SlowMo(const SlowmoSettings& settings, std::size_t parameter_count)
      : learning_rate_(settings.learning_rate),
        momentum_(static_cast<float>(settings.momentum)),
        state_(parameter_count + 1) {}

  void step(std::span<float> global, std::span<const float> mean_local,
            const OuterStep& size) override {
    check(global.size() == mean_local.size() && global.size() + 1 == state_.size(),
          "global and local parameters are of one length");
    const auto gamma = static_cast<float>(size.inner_rate);
    const auto learning_rate = static_cast<float>(learning_rate_.at(size.elapsed));
    if (gamma == 0) {
      std::ranges::copy(mean_local, global.begin());
      return;
    }
    float& last_gamma = state_.back();
    const float kept = last_gamma == 0 ? 0 : momentum_ * (gamma / last_gamma);
    last_gamma = gamma;
    for (std::size_t i = 0; i < global.size(); ++i) {
      const float pseudo_gradient = global[i] - mean_local[i];
      state_[i] = kept * state_[i] + pseudo_gradient;
      // The sum starts from the mean, so that a rate of 1 without momentum is averaging to the last
      // bit.
      global[i] = mean_local[i] + (pseudo_gradient - learning_rate * state_[i]);
    }
  }

  /// gamma u, then gamma.
  std::span<float> state() override { return state_; }

 private:
  OuterRate learning_rate_;
  float momentum_;
  std::vector<float> state_;
};

/// FedAdam (Reddi et al. 2021), Adam along the mean move without correction of its bias:
///   pseudo_gradient = x_k - mean,
///   m       = beta1 m + (1 - beta1) pseudo_gradient,
///   v       = beta2 v + (1 - beta2) pseudo_gradient^2,
///   x_{k+1} = x_k - learning_rate m/(sqrt(v) + tau),
/// with m and v from 0.
class OuterAdam final : public OuterOptimizer {
 public:
  OuterAdam(const OuterAdamSettings& settings, std::size_t parameter_count)
      : learning_rate_(settings.learning_rate),
        step_{.keep = 1,
              .rate = 0,
              .root = 1,
              .epsilon = static_cast<float>(settings.tau),
              .beta1 = static_cast<float>(settings.beta1),
              .beta2 = static_cast<float>(settings.beta2),
              .rest1 = static_cast<float>(1 - settings.beta1),
              .rest2 = static_cast<float>(1 - settings.beta2)},
        state_(2 * parameter_count) {}

  void step(std::span<float> global, std::span<const float> mean_local,
            const OuterStep& size) override {
    check(global.size() == mean_local.size() && 2 * global.size() == state_.size(),
          "global and local parameters are of one length");
    step_.rate = static_cast<float>(learning_rate_.at(size.elapsed));
    float* const m = state_.data();
    float* const v = m + global.size();
    std::array<float, 1024> pseudo_gradient{};
    for (std::size_t begin = 0; begin < global.size(); begin += pseudo_gradient.size()) {
      const std::size_t count = std::min(pseudo_gradient.size(), global.size() - begin);
      for (std::size_t i = 0; i < count; ++i)
        pseudo_gradient[i] = global[begin + i] - mean_local[begin + i];
      move_by_adam(step_, std::span(pseudo_gradient).first(count), global.data() + begin, m + begin,
                   v + begin);
    }
  }

  /// m, then v.
  std::span<float> state() override { return state_; }

 private:
  OuterRate learning_rate_;
  AdamStep step_;
  std::vector<float> state_;
};

}  // namespace

OuterOptimizerFactory make_averaging() {
  return [](std::size_t /*parameter_count*/) { return std::make_unique<Averaging>(); };
}

OuterOptimizerFactory make_nesterov(const NesterovSettings& settings) {
  return [settings](std::size_t parameter_count) {
    return std::make_unique<Nesterov>(settings, parameter_count);
  };
}

OuterOptimizerFactory make_slowmo(const SlowmoSettings& settings) {
  return [settings](std::size_t parameter_count) {
    return std::make_unique<SlowMo>(settings, parameter_count);
  };
}

OuterOptimizerFactory make_outer_adam(const OuterAdamSettings& settings) {
  return [settings](std::size_t parameter_count) {
    return std::make_unique<OuterAdam>(settings, parameter_count);
  };
}

double OuterRate::at(double elapsed) const {
  const double fall = (1 - std::cos(std::numbers::pi * elapsed)) / 2;
  return initial * (1 - (1 - decay_to) * fall);
}

namespace {

/// Reads `learning_rate` and `decay_to`.
OuterRate read_outer_rate(Options& options, double fallback, std::string_view meaning) {
  OuterRate rate;
  rate.initial = options.number("learning_rate",
                                {.fallback = fallback, .min = 0, .max = 1e3, .meaning = meaning});
  rate.decay_to =
      options
          .optional_number("decay_to",
                           {.fallback = 1,
                            .min = 0,
                            .max = 1,
                            .meaning = "learning_rate falls to this share of itself, along half a "
                                       "cosine over the budget of samples"})
          .value_or(1);
  return rate;
}

}  // namespace

OuterOptimizerFactory make_averaging(Options& /*options*/) { return make_averaging(); }

OuterOptimizerFactory make_nesterov(Options& options) {
  NesterovSettings settings;
  settings.learning_rate = read_outer_rate(options, settings.learning_rate.initial,
                                           "factor of the outer step (0.7: OpenDiLoCo's default)");
  settings.momentum =
      options.number("momentum", {.fallback = settings.momentum,
                                  .min = 0,
                                  .max = 1,
                                  .meaning = "share of the buffer that stays from one round to the "
                                             "next (0.9: OpenDiLoCo's default)"});
  return make_nesterov(settings);
}

OuterOptimizerFactory make_slowmo(Options& options) {
  SlowmoSettings settings;
  settings.learning_rate = read_outer_rate(options, settings.learning_rate.initial,
                                           "factor of the outer step (1: FairScale's default)");
  settings.momentum = options.number(
      "momentum", {.fallback = settings.momentum,
                   .min = 0,
                   .max = 1,
                   .meaning = "share of the slow buffer that stays from one round to the next "
                              "(FairScale recommends 0 for less than 4 nodes, 0.2 for 4, 0.5 for "
                              "8, 0.6 for 16)"});
  return make_slowmo(settings);
}

OuterOptimizerFactory make_outer_adam(Options& options) {
  OuterAdamSettings settings;
  settings.learning_rate =
      read_outer_rate(options, settings.learning_rate.initial,
                      "factor of the outer step, about by how much a parameter moves in a round "
                      "(not the paper's, which tunes it)");
  settings.beta1 = options.number(
      "beta1", {.fallback = settings.beta1,
                .min = 0,
                .max = 1,
                .meaning = "share of the mean move that stays from one round to the next"});
  settings.beta2 = options.number(
      "beta2", {.fallback = settings.beta2,
                .min = 0,
                .max = 1,
                .meaning = "share of the mean square that stays from one round to the next"});
  settings.tau =
      options.number("tau", {.fallback = settings.tau,
                             .min = 1e-12,
                             .max = 1e3,
                             .meaning = "added to the root of the mean square: of moves that are "
                                        "much smaller the step is a share"});
  return make_outer_adam(settings);
}

std::span<const PartRow<OuterOptimizerFactory>> outer_optimizer_table() {
  static constexpr std::array<PartRow<OuterOptimizerFactory>, 4> kTable{{
      {.name = "averaging",
       .summary = "the mean of the workers' parameters becomes the global ones",
       .make = make_averaging,
       .formula = "x = mean, the mean of the workers' parameters after their H steps",
       .source = "Local SGD (Stich 2019, as recalled)"},
      {.name = "nesterov",
       .summary = "SGD with Nesterov momentum along the mean move (DiLoCo, Douillard et al. 2023)",
       .make = make_nesterov,
       .formula =
           "d = x - mean, u = momentum u + d, x = x - learning_rate (d + momentum u), with the "
           "mean of the workers' parameters; learning_rate times 1 - (1 - decay_to)(1 - cos(pi "
           "p))/2, p the share of the budget before the round",
       .source =
           "Douillard et al. 2023, defaults of OpenDiLoCo's code; Nesterov as PyTorch defines "
           "it, as recalled"},
      {.name = "slowmo",
       .summary = "momentum over rounds, in units of the learning rate (Wang et al. 2020)",
       .make = make_slowmo,
       .formula =
           "u = momentum u + (x - mean)/lr, x = x - learning_rate lr u, with the mean of the "
           "workers' parameters and the lr of the round's last step; lr = 0 leaves x and u as "
           "they are; decay_to as nesterov has it",
       .source = "Wang et al. 2020, defaults of FairScale's code"},
      {.name = "adam",
       .summary = "Adam along the mean move, FedAdam (Reddi et al. 2021)",
       .make = make_outer_adam,
       .formula =
           "d = x - mean, m = beta1 m + (1 - beta1) d, v = beta2 v + (1 - beta2) d^2, "
           "x = x - learning_rate m/(sqrt(v) + tau), with the mean of the workers' parameters, "
           "m and v from 0; decay_to as nesterov has it",
       .source = "Reddi et al. 2021 (arXiv 2003.00295), as recalled and as public implementations "
                 "have it: no correction of the bias"},
  }};
  return kTable;
}

}  // namespace localbatch
