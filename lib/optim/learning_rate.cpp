#include "optim/learning_rate.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/error.h"

namespace localbatch {

namespace {

double share(std::int64_t part, std::int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

/// The warm-up, and after it what `later` says.
template <class Later>
LearningRate after(const WarmUp& warm_up, Later later) {
  return {.rate =
              [=](std::int64_t samples, std::int64_t max_samples) {
                if (samples < warm_up.samples)
                  return warm_up.peak * share(samples, warm_up.samples);
                return later(samples, max_samples);
              },
          .peak = warm_up.peak,
          .warm_up_samples = warm_up.samples};
}

/// The warm-up, the peak until `first`, then min + shape(p) (peak - min), where p goes from 0 at
/// `first` to 1 at the end of the decay and stays there. A budget that ends before leaves no decay.
template <class Shape>
LearningRate decay(const DecaySettings& settings, std::int64_t first, Shape shape) {
  check(settings.min <= settings.warm_up.peak, "a learning rate falls from its peak");
  check(settings.decay_end_samples.value_or(first + 1) > first, "a decay ends after it begins");
  return after(settings.warm_up, [=](std::int64_t samples, std::int64_t max_samples) {
    const double peak = settings.warm_up.peak;
    const std::int64_t end = settings.decay_end_samples.value_or(max_samples);
    if (samples >= end) return settings.min;
    if (samples < first) return peak;
    return settings.min + shape(share(samples - first, end - first)) * (peak - settings.min);
  });
}

template <class Shape>
LearningRate decay(const DecaySettings& settings, Shape shape) {
  return decay(settings, settings.warm_up.samples, shape);
}

}  // namespace

LearningRate make_constant_rate(const WarmUp& warm_up) {
  return after(warm_up, [peak = warm_up.peak](std::int64_t, std::int64_t) { return peak; });
}

LearningRate make_cosine_rate(const DecaySettings& settings) {
  return decay(settings, [](double p) { return 0.5 * (1 + std::cos(std::numbers::pi * p)); });
}

LearningRate make_linear_rate(const DecaySettings& settings) {
  return decay(settings, [](double p) { return 1 - p; });
}

LearningRate make_multistep_rate(const MultistepSettings& settings) {
  return after(settings.warm_up, [settings](std::int64_t samples, std::int64_t) {
    double rate = settings.warm_up.peak;
    for (const std::int64_t milestone : settings.milestones)
      if (samples >= milestone) rate *= settings.factor;
    return rate;
  });
}

LearningRate make_wsd_rate(const CooldownSettings& settings) {
  check(settings.start_samples >= settings.decay.warm_up.samples, "a cooldown follows the warm-up");
  const bool is_linear = settings.shape == CooldownSettings::Shape::kLinear;
  return decay(settings.decay, settings.start_samples,
               [is_linear](double p) { return is_linear ? 1 - p : 1 - std::sqrt(p); });
}

LearningRate make_power_rate(const PowerSettings& settings) {
  check(settings.exponent <= 0, "a learning rate falls");
  return after(settings.warm_up, [settings](std::int64_t samples, std::int64_t) {
    const double power = std::pow(static_cast<double>(samples), settings.exponent);
    return std::min(settings.warm_up.peak, settings.factor * power);
  });
}

namespace {

WarmUp read_warm_up(Options& options) {
  WarmUp warm_up;
  warm_up.peak = options.number(
      "peak", {.min = 0, .max = 1e6, .meaning = "learning rate at the end of the warm-up"});
  warm_up.samples = options.integer(
      "warmup_samples",
      {.fallback = 0,
       .min = 0,
       .meaning = "samples, of all workers together, over which the learning rate rises linearly "
                  "from 0 to the peak; 0: no warm-up"});
  return warm_up;
}

DecaySettings read_decay(Options& options) {
  DecaySettings settings{.warm_up = read_warm_up(options)};
  settings.min = options.number(
      "min",
      {.fallback = 0, .min = 0, .max = 1e6, .meaning = "learning rate at the end of the decay"});
  const std::int64_t decay_end = options.integer(
      "decay_end_samples",
      {.fallback = 0,
       .min = 0,
       .meaning = "samples, of all workers together, at which the learning rate reaches its "
                  "minimum and stays there; 0: at max_samples"});
  if (settings.min > settings.warm_up.peak)
    options.fail("min", fmt::format("found {}, allowed is at most the peak {}", settings.min,
                                    settings.warm_up.peak));
  if (decay_end != 0 && decay_end <= settings.warm_up.samples)
    options.fail("decay_end_samples",
                 fmt::format("found {}, allowed is 0 or more than the warmup_samples {}", decay_end,
                             settings.warm_up.samples));
  if (decay_end != 0) settings.decay_end_samples = decay_end;
  return settings;
}

}  // namespace

LearningRate make_constant_rate(Options& options) {
  return make_constant_rate(read_warm_up(options));
}

LearningRate make_cosine_rate(Options& options) { return make_cosine_rate(read_decay(options)); }

LearningRate make_linear_rate(Options& options) { return make_linear_rate(read_decay(options)); }

LearningRate make_multistep_rate(Options& options) {
  MultistepSettings settings{.warm_up = read_warm_up(options), .milestones = {}};
  settings.milestones = options.integers(
      "milestones", {.min = 1,
                     .ascending = true,
                     .meaning = "samples, of all workers together, at which the learning rate is "
                                "multiplied by the factor; increasing, beyond the warm-up"});
  settings.factor = options.number(
      "factor", {.fallback = settings.factor,
                 .min = 0,
                 .max = 1,
                 .meaning = "what the learning rate is multiplied by at each milestone"});
  const std::vector<std::int64_t>& milestones = settings.milestones;
  if (!milestones.empty() && milestones.front() <= settings.warm_up.samples)
    options.fail("milestones", fmt::format("found {}, allowed is more than the warmup_samples {}",
                                           milestones.front(), settings.warm_up.samples));
  return make_multistep_rate(settings);
}

LearningRate make_wsd_rate(Options& options) {
  using Shape = CooldownSettings::Shape;
  CooldownSettings settings{.decay = read_decay(options)};
  settings.start_samples =
      options.integer("decay_start_samples",
                      {.min = 1,
                       .meaning = "samples, of all workers together, up to which the "
                                  "learning rate stays at the peak; at least warmup_samples"});
  settings.shape = options.choice<Shape>(
      "shape", {.fallback = settings.shape,
                .choices = {{"sqrt", Shape::kSqrt}, {"linear", Shape::kLinear}},
                .meaning = "how the learning rate falls from the peak to the minimum"});
  const std::int64_t start = settings.start_samples;
  const WarmUp& warm_up = settings.decay.warm_up;
  if (start < warm_up.samples)
    options.fail("decay_start_samples", fmt::format("found {}, allowed is at least the "
                                                    "warmup_samples {}",
                                                    start, warm_up.samples));
  if (settings.decay.decay_end_samples && *settings.decay.decay_end_samples <= start)
    options.fail("decay_end_samples",
                 fmt::format("found {}, allowed is 0 or more than the decay_start_samples {}",
                             *settings.decay.decay_end_samples, start));
  return make_wsd_rate(settings);
}

LearningRate make_power_rate(Options& options) {
  PowerSettings settings{.warm_up = read_warm_up(options)};
  settings.factor = options.number("factor", {.min = 0,
                                              .max = 1e12,
                                              .meaning = "the learning rate at one sample, "
                                                         "were it not above the peak"});
  settings.exponent = options.number(
      "exponent", {.fallback = settings.exponent,
                   .min = -10,
                   .max = 0,
                   .meaning = "of the samples (-0.51: Shen et al. 2024 in tokens, as recalled)"});
  return make_power_rate(settings);
}

std::span<const PartRow<LearningRate>> learning_rate_table() {
  static constexpr std::array<PartRow<LearningRate>, 6> kTable{{
      {.name = "constant",
       .summary = "the peak, after the warm-up",
       .make = make_constant_rate,
       .formula = "lr = peak samples/warmup_samples in the warm-up, then peak",
       .source = "warm-up as in AdAdaGrad's code (companion paper, arXiv 2402.11215)"},
      {.name = "cosine",
       .summary = "half a cosine from the peak to the minimum",
       .make = make_cosine_rate,
       .formula =
           "after the warm-up, lr = min + (1 + cos(pi p))/2 (peak - min), p = min(1, (samples - "
           "warmup_samples)/(decay_end_samples - warmup_samples))",
       .source = "as in AdAdaGrad's code (companion paper, arXiv 2402.11215)"},
      {.name = "linear",
       .summary = "a straight line from the peak to the minimum",
       .make = make_linear_rate,
       .formula = "after the warm-up, lr = min + (1 - p) (peak - min), p = min(1, (samples - "
                  "warmup_samples)/(decay_end_samples - warmup_samples))",
       .source = "common practice; the linear schedule of AdAdaGrad's code (companion paper, arXiv "
                 "2402.11215) rises instead"},
      {.name = "multistep",
       .summary = "the peak, multiplied by a factor at each milestone",
       .make = make_multistep_rate,
       .formula = "from warmup_samples on, lr = peak factor^(number of milestones that samples has "
                  "reached)",
       .source = "common practice; also in AdAdaGrad's code (companion paper, arXiv 2402.11215)"},
      {.name = "wsd",
       .summary = "warm-up, stable at the peak, decay (a cooldown) to the minimum",
       .make = make_wsd_rate,
       .formula =
           "from warmup_samples to decay_start_samples the peak, then lr = min + f(p) (peak - "
           "min), p = min(1, (samples - decay_start_samples)/(decay_end_samples - "
           "decay_start_samples)), f(p) = 1 - sqrt(p) with shape sqrt, 1 - p with linear",
       .source = "WSD: Hu et al. 2024 (MiniCPM, arXiv 2404.06395), who decay exponentially; these "
                 "shapes: Haegele et al. 2024 (arXiv 2405.18392); as recalled"},
      {.name = "power",
       .summary = "the peak, then a power of the samples, whatever the budget",
       .make = make_power_rate,
       .formula = "from warmup_samples on, lr = min(peak, factor samples^exponent)",
       .source = "Shen et al. 2024 (power scheduler, arXiv 2408.13359), as recalled, who multiply "
                 "by the batch size, here learning_rate_coupling: linear, and end with a decay"},
  }};
  return kTable;
}

namespace {

/// growth^exponent, bounded.
LearningRateCoupling make_power_coupling(const CouplingSettings& settings, double exponent) {
  const double max_factor = settings.max_factor.value_or(std::numeric_limits<double>::infinity());
  return {[=](const CouplingContext& now) {
    return std::min(std::pow(now.growth, exponent), max_factor);
  }};
}

}  // namespace

LearningRateCoupling make_linear_coupling(const CouplingSettings& settings) {
  return make_power_coupling(settings, 1);
}

LearningRateCoupling make_sqrt_coupling(const CouplingSettings& settings) {
  return make_power_coupling(settings, 0.5);
}

/// The gain of AdaScale (Johnson, Agrawal, Gu, Guestrin 2020): how many steps of the initial batch
/// one step of the grown one is worth,
///   (variance + |g|^2) / (variance/growth + |g|^2), between 1 and growth,
/// with the variance of the mean gradient of the initial batch. In AdaScale the schedule of the
/// learning rate also advances by the gain; here every schedule follows samples.
LearningRateCoupling make_adascale_coupling(const CouplingSettings& settings) {
  const double max_factor = settings.max_factor.value_or(std::numeric_limits<double>::infinity());
  return {[=](const CouplingContext& now) {
            const double variance = std::max(now.initial_variance, 0.0);
            const double squared_norm = std::max(now.squared_norm, 0.0);
            if (variance == 0) return 1.0;
            const double gain = (variance + squared_norm) / (variance / now.growth + squared_norm);
            return std::min(gain, max_factor);
          },
          /*needs_statistics=*/true};
}

namespace {

CouplingSettings read_coupling(Options& options) {
  const double max_factor = options.number(
      "max_factor",
      {.fallback = 0,
       .min = 0,
       .max = 1e6,
       .meaning = "largest factor by which a grown batch raises the learning rate; at "
                  "least 1, or 0 for no bound"});
  if (max_factor == 0) return {};
  if (max_factor < 1)
    options.fail("max_factor", fmt::format("found {}, allowed is 0 or at least 1", max_factor));
  return {.max_factor = max_factor};
}

}  // namespace

LearningRateCoupling make_no_coupling(Options& /*options*/) { return {}; }

LearningRateCoupling make_linear_coupling(Options& options) {
  return make_linear_coupling(read_coupling(options));
}

LearningRateCoupling make_sqrt_coupling(Options& options) {
  return make_sqrt_coupling(read_coupling(options));
}

LearningRateCoupling make_adascale_coupling(Options& options) {
  return make_adascale_coupling(read_coupling(options));
}

std::span<const PartRow<LearningRateCoupling>> learning_rate_coupling_table() {
  static constexpr std::array<PartRow<LearningRateCoupling>, 4> kTable{{
      {.name = "none",
       .summary = "the learning rate does not depend on the batch size",
       .make = make_no_coupling,
       .formula = "lr = learning_rate(samples)",
       .source = "as in AdAdaGrad's code (companion paper, arXiv 2402.11215)"},
      {.name = "linear",
       .summary = "proportional to the batch size, the rule for SGD (Goyal et al. 2017)",
       .make = make_linear_coupling,
       .formula = "lr = learning_rate(samples) b/batch_size.initial, the factor at most max_factor "
                  "unless that is 0",
       .source = "Goyal et al. 2017, as recalled"},
      {.name = "sqrt",
       .summary = "proportional to its square root, the rule for Adam (Malladi et al. 2022)",
       .make = make_sqrt_coupling,
       .formula = "lr = learning_rate(samples) sqrt(b/batch_size.initial), the factor at most "
                  "max_factor unless that is 0",
       .source = "Malladi et al. 2022, without the changes of beta and epsilon that go with it, as "
                 "recalled"},
      {.name = "adascale",
       .summary = "by the gain of the larger batch under the measured noise",
       .make = make_adascale_coupling,
       .formula =
           "lr = learning_rate(samples) (v + |g|^2)/(v batch_size.initial/b + |g|^2), the factor "
           "at most max_factor unless that is 0; v = variance/(M batch_size.initial), |g|^2 "
           "unbiased, both of the latest statistics",
       .source = "Johnson et al. 2020, whose schedule advances by the gain; ours follows samples"},
  }};
  return kTable;
}

}  // namespace localbatch
