#include "optim/learning_rate_coupling.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace localbatch {

namespace {

/// growth^exponent, bounded by the key `max_factor`.
LearningRateCoupling read_power(Options& options, double exponent) {
  const double max_factor = options.number(
      "max_factor",
      {.fallback = 0,
       .min = 0,
       .max = 1e6,
       .meaning = "largest factor by which a grown batch raises the learning rate; at "
                  "least 1, or 0 for no bound"});
  if (max_factor != 0 && max_factor < 1)
    options.fail("max_factor", fmt::format("found {}, allowed is 0 or at least 1", max_factor));
  return [=](double growth) {
    const double factor = std::pow(growth, exponent);
    return max_factor == 0 ? factor : std::min(factor, max_factor);
  };
}

LearningRateCoupling make_none(Options& /*options*/) {
  return [](double) { return 1.0; };
}

LearningRateCoupling make_linear(Options& options) { return read_power(options, 1); }
LearningRateCoupling make_sqrt(Options& options) { return read_power(options, 0.5); }

}  // namespace

std::span<const PartRow<LearningRateCoupling>> learning_rate_coupling_table() {
  static constexpr std::array<PartRow<LearningRateCoupling>, 3> kTable{{
      {"none", "the learning rate does not depend on the batch size", make_none},
      {"linear", "proportional to the batch size, the rule for SGD (Goyal et al. 2017)",
       make_linear},
      {"sqrt", "proportional to its square root, the rule for Adam (Malladi et al. 2022)",
       make_sqrt},
  }};
  return kTable;
}

}  // namespace localbatch
