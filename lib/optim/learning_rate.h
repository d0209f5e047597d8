#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/options.h"

namespace localbatch {

/// The learning rate as a pure function of the samples that all workers together have processed, so
/// that neither batch sizes nor a resumed run can change it. `max_samples` is the budget of the
/// run.
struct LearningRate {
  std::function<double(std::int64_t samples, std::int64_t max_samples)> rate;
  double peak = 0;                   ///< the highest rate, at the end of the warm-up
  std::int64_t warm_up_samples = 0;  ///< of all workers together

  double operator()(std::int64_t samples, std::int64_t max_samples) const {
    return rate(samples, max_samples);
  }
};

/// A linear rise from 0 to the peak, with which every learning rate begins.
struct WarmUp {
  double peak = 0;
  std::int64_t samples = 0;  ///< of all workers together; 0: no warm-up
};

/// A fall from the peak to `min`.
struct DecaySettings {
  WarmUp warm_up;
  double min = 0;                                                ///< at most the peak
  std::optional<std::int64_t> decay_end_samples = std::nullopt;  ///< none: at the end of the budget
};

struct MultistepSettings {
  WarmUp warm_up;
  std::vector<std::int64_t> milestones;  ///< samples, increasing, beyond the warm-up
  double factor = 0.1;                   ///< multiplies the learning rate at each milestone
};

/// The peak until a cooldown begins.
struct CooldownSettings {
  DecaySettings decay;             ///< begins at `start_samples` in place of the warm-up's end
  std::int64_t start_samples = 0;  ///< at least the warm-up
  enum class Shape { kSqrt, kLinear } shape = Shape::kSqrt;
};

struct PowerSettings {
  WarmUp warm_up;
  double factor = 0;        ///< the rate is factor samples^exponent where that is below the peak
  double exponent = -0.51;  ///< at most 0
};

// Every part can be made from its settings, and from the keys of an experiment file.
LearningRate make_constant_rate(const WarmUp& warm_up);
LearningRate make_constant_rate(Options& options);
LearningRate make_cosine_rate(const DecaySettings& settings);
LearningRate make_cosine_rate(Options& options);
LearningRate make_linear_rate(const DecaySettings& settings);
LearningRate make_linear_rate(Options& options);
LearningRate make_multistep_rate(const MultistepSettings& settings);
LearningRate make_multistep_rate(Options& options);

LearningRate make_wsd_rate(const CooldownSettings& settings);
LearningRate make_wsd_rate(Options& options);
LearningRate make_power_rate(const PowerSettings& settings);
LearningRate make_power_rate(Options& options);

std::span<const PartRow<LearningRate>> learning_rate_table();

/// The facts that a coupling of the learning rate to a grown batch may look at.
struct CouplingContext {
  double growth = 1;  ///< local batch size / initial one
  /// Latest statistics of gradients, 0 before the first: the variance of the mean gradient of all
  /// workers' initial batches, and the squared norm of the gradient.
  double initial_variance = 0;
  double squared_norm = 0;
};

/// The factor by which a grown batch changes the learning rate.
struct LearningRateCoupling {
  std::function<double(const CouplingContext&)> factor = [](const CouplingContext&) { return 1.0; };
  bool needs_statistics = false;

  double operator()(const CouplingContext& context) const { return factor(context); }
};

struct CouplingSettings {
  std::optional<double> max_factor = std::nullopt;  ///< at least 1; none: no bound
};

LearningRateCoupling make_no_coupling(Options& options);
LearningRateCoupling make_linear_coupling(const CouplingSettings& settings);
LearningRateCoupling make_linear_coupling(Options& options);
LearningRateCoupling make_sqrt_coupling(const CouplingSettings& settings);
LearningRateCoupling make_sqrt_coupling(Options& options);
LearningRateCoupling make_adascale_coupling(const CouplingSettings& settings);
LearningRateCoupling make_adascale_coupling(Options& options);

std::span<const PartRow<LearningRateCoupling>> learning_rate_coupling_table();

}  // namespace localbatch
