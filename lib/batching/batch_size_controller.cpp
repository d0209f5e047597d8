#include "batching/batch_size_controller.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"

namespace localbatch {

BatchSizeControllerMade make_fixed(Options& options);                 // fixed.cpp
BatchSizeControllerMade make_stagewise(Options& options);             // stagewise.cpp
BatchSizeControllerMade make_linear(Options& options);                // linear.cpp
BatchSizeControllerMade make_geometric(Options& options);             // geometric.cpp
BatchSizeControllerMade make_norm_test(Options& options);             // norm_test.cpp
BatchSizeControllerMade make_inner_product_test(Options& options);    // inner_product_test.cpp
BatchSizeControllerMade make_gradient_noise_scale(Options& options);  // gradient_noise_scale.cpp
BatchSizeControllerMade make_cabs(Options& options);                  // cabs.cpp

std::string_view to_string(Reason reason) {
  switch (reason) {
    case Reason::kFixed:
      return "fixed";
    case Reason::kSchedule:
      return "schedule";
    case Reason::kNotDue:
      return "not_due";
    case Reason::kPass:
      return "pass";
    case Reason::kGrow:
      return "grow";
    case Reason::kShrink:
      return "shrink";
    case Reason::kTooFewChunks:
      return "too_few_chunks";
    case Reason::kZeroGradient:
      return "zero_gradient";
    case Reason::kNonFinite:
      return "non_finite";
    case Reason::kCap:
      return "cap";
    case Reason::kFloor:
      return "floor";
    case Reason::kRounding:
      return "rounding";
    case Reason::kGrowthLimit:
      return "growth_limit";
  }
  broken("a reason is one of its enumerators");
}

bool wishes_size(Reason reason) {
  return reason == Reason::kPass || reason == Reason::kGrow || reason == Reason::kSchedule;
}

std::span<const PartRow<BatchSizeControllerMade>> batch_size_controller_table() {
  static constexpr std::array<PartRow<BatchSizeControllerMade>, 8> kTable{{
      {"fixed", "the initial batch size throughout", make_fixed},
      {"stagewise", "a batch size for each stage of the run", make_stagewise},
      {"linear", "a straight line in samples from the initial batch size", make_linear},
      {"geometric", "multiplied by a factor every so many samples", make_geometric},
      {"norm_test", "the variance of the mean gradient against its squared norm (Byrd et al. 2012)",
       make_norm_test},
      {"inner_product_test",
       "the variance along the mean gradient, optionally also the one across it (Bollapragada et "
       "al. 2018)",
       make_inner_product_test},
      {"gradient_noise_scale", "in proportion to the simple noise scale (McCandlish et al. 2018)",
       make_gradient_noise_scale},
      {"cabs", "by variance, learning rate and loss (Balles et al. 2017)", make_cabs},
  }};
  return kTable;
}

std::optional<Reason> unusable(const GradientStatistics& statistics) {
  if (statistics.num_chunks < 2) return Reason::kTooFewChunks;
  const std::array<double, 4> values{statistics.variance, statistics.squared_norm,
                                     statistics.inner_product_variance,
                                     statistics.orthogonal_variance};
  if (!std::ranges::all_of(values, [](double value) { return std::isfinite(value); }))
    return Reason::kNonFinite;
  check(statistics.num_workers >= 1 && statistics.global_batch_size >= 1,
        "statistics of chunks come from workers and samples");
  if (statistics.squared_norm <= 0 && statistics.variance <= 0) return Reason::kZeroGradient;
  return std::nullopt;
}

bool noise_hides_gradient(const GradientStatistics& statistics) {
  return !unusable(statistics) && statistics.squared_norm <= 0;
}

double noise_limited_batch_size(int local_batch_size, double parameter) {
  return local_batch_size * std::max(2.0, 1 / (parameter * parameter));
}

double batch_size_to_pass(const Inequality& test, const GradientStatistics& statistics) {
  if (test.statistic <= 0) return 0;
  // The quotient, not the formula solved for b: rounding could contradict the test's own outcome.
  const double local_batch_size =
      static_cast<double>(statistics.global_batch_size) / statistics.num_workers;
  return local_batch_size * (test.statistic / test.threshold);
}

}  // namespace localbatch
