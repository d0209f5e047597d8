#include "optim/learning_rate_coupling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace localbatch {

namespace {

double read_max_factor(Options& options) {
  const double max_factor = options.number(
      "max_factor",
      {.fallback = 0,
       .min = 0,
       .max = 1e6,
       .meaning = "largest factor by which a grown batch raises the learning rate; at "
                  "least 1, or 0 for no bound"});
  if (max_factor != 0 && max_factor < 1)
    options.fail("max_factor", fmt::format("found {}, allowed is 0 or at least 1", max_factor));
  return max_factor == 0 ? std::numeric_limits<double>::infinity() : max_factor;
}

/// growth^exponent, bounded.
LearningRateCoupling read_power(Options& options, double exponent) {
  const double max_factor = read_max_factor(options);
  return {[=](const CouplingContext& now) {
    return std::min(std::pow(now.growth, exponent), max_factor);
  }};
}

LearningRateCoupling make_none(Options& /*options*/) { return {}; }
LearningRateCoupling make_linear(Options& options) { return read_power(options, 1); }
LearningRateCoupling make_sqrt(Options& options) { return read_power(options, 0.5); }

/// The gain of AdaScale (Johnson, Agrawal, Gu, Guestrin 2020): how many steps of the initial batch
/// one step of the grown one is worth,
///   (variance + |g|^2) / (variance/growth + |g|^2), between 1 and growth,
/// with the variance of the mean gradient of the initial batch. AdaScale also lets the schedule of
/// the learning rate advance by the gain; here it follows samples, as for everybody else.
LearningRateCoupling make_adascale(Options& options) {
  const double max_factor = read_max_factor(options);
  return {[=](const CouplingContext& now) {
            const double variance = std::max(now.initial_variance, 0.0);
            const double squared_norm = std::max(now.squared_norm, 0.0);
            if (variance == 0) return 1.0;
            const double gain = (variance + squared_norm) / (variance / now.growth + squared_norm);
            return std::min(gain, max_factor);
          },
          /*needs_statistics=*/true};
}

}  // namespace

std::span<const PartRow<LearningRateCoupling>> learning_rate_coupling_table() {
  static constexpr std::array<PartRow<LearningRateCoupling>, 4> kTable{{
      {.name = "none",
       .summary = "the learning rate does not depend on the batch size",
       .make = make_none,
       .formula = "lr = learning_rate(samples)",
       .source = "as in AdAdaGrad's code (companion paper, arXiv 2402.11215)"},
      {.name = "linear",
       .summary = "proportional to the batch size, the rule for SGD (Goyal et al. 2017)",
       .make = make_linear,
       .formula = "lr = learning_rate(samples) b/batch_size.initial, the factor at most max_factor "
                  "unless that is 0",
       .source = "Goyal et al. 2017, as recalled"},
      {.name = "sqrt",
       .summary = "proportional to its square root, the rule for Adam (Malladi et al. 2022)",
       .make = make_sqrt,
       .formula = "lr = learning_rate(samples) sqrt(b/batch_size.initial), the factor at most "
                  "max_factor unless that is 0",
       .source = "Malladi et al. 2022, without the changes of beta and epsilon that go with it, as "
                 "recalled"},
      {.name = "adascale",
       .summary = "by the gain of the larger batch under the measured noise",
       .make = make_adascale,
       .formula =
           "lr = learning_rate(samples) (v + |g|^2)/(v batch_size.initial/b + |g|^2), the factor "
           "at most max_factor unless that is 0; v = variance/(M batch_size.initial), |g|^2 "
           "unbiased, both of the latest statistics",
       .source = "Johnson et al. 2020, whose schedule advances by the gain; ours follows samples"},
  }};
  return kTable;
}

}  // namespace localbatch
