#include "batching/batch_size_controller.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "batching/noise_scales.h"
#include "batching/noise_tests.h"
#include "batching/schedules.h"
#include "core/error.h"

namespace localbatch {

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
    case Reason::kHysteresis:
      return "hysteresis";
    case Reason::kCap:
      return "cap";
    case Reason::kFloor:
      return "floor";
    case Reason::kRounding:
      return "rounding";
    case Reason::kGrowthLimit:
      return "growth_limit";
  }
  internal_error("a reason is one of its enumerators");
}

bool wants_size(Reason reason) {
  return reason == Reason::kPass || reason == Reason::kGrow || reason == Reason::kSchedule;
}

namespace {

constexpr std::array<PartRow<std::shared_ptr<const BatchSizeController>>, 13> kTable{{
    {.name = "fixed",
     .summary = "the initial batch size throughout",
     .make = make_fixed,
     .label = fixed_label},
    {.name = "stagewise",
     .summary = "a batch size for each stage of the run",
     .make = make_stagewise,
     .formula = "b = batch_size.initial before milestones[0] samples, sizes[i] from milestones[i] "
                "samples on",
     .source =
         "Smith et al. 2018, as recalled: a larger batch in place of a smaller learning rate; "
         "stages also in AdAdaGrad's code (companion paper, arXiv 2402.11215)"},
    {.name = "linear",
     .summary = "a straight line in samples from the initial batch size",
     .make = make_linear_ramp,
     .formula = "b = i + (final - i) min(1, samples/ramp_samples), with i = batch_size.initial",
     .source =
         "AdAdaGrad's code (companion paper, arXiv 2402.11215), there by an increment per step"},
    {.name = "geometric",
     .summary = "multiplied by a factor every so many samples",
     .make = make_geometric,
     .formula = "b = batch_size.initial factor^floor(samples/every_samples)",
     .source = "Smith et al. 2018 and AdaBatch, as recalled"},
    {.name = "seesaw",
     .summary = "grows as much as the learning rate's schedule falls (Meterez et al. 2025)",
     .make = make_seesaw,
     .formula = "b = batch_size.initial peak/lr, with the lr of the schedule alone, and "
                "batch_size.initial "
                "in the warm-up; learning_rate_coupling: sqrt makes the rate sqrt(peak lr)",
     .source =
         "Meterez et al. 2025 (arXiv 2510.14717): where a schedule halves the rate, twice the "
         "batch and 1/sqrt(2) of the rate (read in its abstract); closed form derived"},
    {.name = "measured_warm_up",
     .summary = "doubles where critical batch sizes that were measured allow it",
     .make = make_measured_warm_up,
     .formula = "b = batch_size.initial 2^k, the largest that is not above the line through sizes "
                "over samples, which ends at the last one",
     .source = "Merrill et al. 2025 (arXiv 2505.23971): a batch warm-up by critical batch sizes "
               "that branches measure (read in its abstract); they fit a curve, the rate goes by "
               "learning_rate_coupling: sqrt"},
    {.name = "norm_test",
     .summary = "the variance of the mean gradient against its squared norm (Byrd et al. 2012)",
     .make = make_norm_test,
     .formula = "passes when variance/(M b) <= eta^2 |g|^2; wants b = variance/(M eta^2 |g|^2), or "
                "max(2, 1/eta^2) times the present b where |g|^2 <= 0 (variance: of one sample's "
                "gradient, g: the mean gradient, both as gradient_statistics says)",
     .source =
         "Byrd et al. 2012; between workers as in AdLoCo's code (arXiv 2508.18182); that arXiv "
         "2406.13936 does the same is not verified",
     .label = norm_test_label},
    {.name = "inner_product_test",
     .summary = "the variance along the mean gradient, optionally also the one across it "
                "(Bollapragada et al. 2018)",
     .make = make_inner_product_test,
     .formula =
         "passes when inner_product_variance/(M b) <= theta^2 |g|^4 and, if nu > 0, "
         "orthogonal_variance/(M b) <= nu^2 |g|^2; wants b = inner_product_variance/(M theta^2 "
         "|g|^4) or, if larger, orthogonal_variance/(M nu^2 |g|^2), or max(2, 1/theta^2) "
         "(1/nu^2 if 0 < nu < theta) times the present b where |g|^2 <= 0 (variances: along "
         "and across the mean gradient g, both as gradient_statistics says)",
     .source =
         "Bollapragada et al. 2018, equations 2.6 and 3.3; for gradients of workers by our own "
         "derivation",
     .label = inner_product_test_label},
    {.name = "coordinate_norm_test",
     .summary = "the norm test of every coordinate of the mean gradient by itself",
     .make = make_coordinate_norm_test,
     .formula = "passes when variance_i/(M b) <= eta^2 g_i^2 for the share of the coordinates i; "
                "wants b = "
                "the ratio variance_i/(M eta^2 g_i^2) that this share does not exceed "
                "(variance_i: of one "
                "sample's gradient in coordinate i, g: the mean gradient)",
     .source = "named in the abstract of the companion paper, arXiv 2402.11215; formula as "
               "recalled, the "
               "share is our own"},
    {.name = "gradient_noise_scale",
     .summary = "in proportion to the simple noise scale (McCandlish et al. 2018)",
     .make = make_gradient_noise_scale,
     .formula =
         "wants b = scale variance/(M |g|^2), or max(2, scale) times the present b where |g|^2 "
         "<= 0 (variance: of one sample's gradient, g: the mean gradient, both as "
         "gradient_statistics says)",
     .source = "McCandlish et al. 2018, the rule as recalled; without moving averages"},
    {.name = "divebatch",
     .summary = "in proportion to the diversity of gradients (Chen et al. 2025)",
     .make = make_divebatch,
     .formula =
         "wants b = scale (|g|^2 + variance)/(M |g|^2), or max(2, scale) times the present b where "
         "|g|^2 <= 0 (variance: of one sample's gradient, g: the mean gradient, both as "
         "gradient_statistics says)",
     .source = "Chen et al. 2025 (arXiv 2509.16173), the rule as recalled; there once an epoch, "
               "over all its samples: for a round's statistics derived"},
    {.name = "simigrad",
     .summary = "so that two halves of the batch have similar gradients (Qin et al. 2021)",
     .make = make_simigrad,
     .formula = "wants b = 2 similarity/(1 - similarity) variance/(M |g|^2), or max(2, 2 "
                "similarity/(1 - similarity)) times the present b where |g|^2 <= 0 (variance: of "
                "one sample's gradient, g: the mean gradient, both as gradient_statistics says)",
     .source = "Qin et al. 2021, which changes b by a tenth (as recalled); the batch at which the "
               "cosine of two halves is expected to be that: derived"},
    {.name = "cabs",
     .summary = "by variance, learning rate and loss (Balles et al. 2017)",
     .make = make_cabs,
     .formula =
         "wants b = scale lr variance/(M loss), with the lr of the round's first step and its "
         "mean loss (variance: of one sample's gradient, as gradient_statistics says)",
     .source = "Balles et al. 2017, without its moving averages"},
}};

}  // namespace

std::span<const PartRow<std::shared_ptr<const BatchSizeController>>> batch_size_controller_table() {
  return kTable;
}

std::optional<Reason> unusable(const GradientStatistics& statistics) {
  if (statistics.num_chunks < 2) return Reason::kTooFewChunks;
  for (const auto field : kStatisticFields)
    if (!std::isfinite(statistics.*field)) return Reason::kNonFinite;
  check(statistics.num_workers >= 1 && statistics.global_batch_size >= 1,
        "statistics of chunks come from workers and samples");
  if (statistics.squared_norm <= 0 && statistics.variance <= 0) return Reason::kZeroGradient;
  return std::nullopt;
}

bool noise_hides_gradient(const GradientStatistics& statistics) {
  return !unusable(statistics) && statistics.squared_norm <= 0;
}

double noise_limited_batch_size(int local_batch_size, double parameter_squared) {
  return local_batch_size * std::max(2.0, 1 / parameter_squared);
}

double batch_size_to_pass(const Inequality& test, const GradientStatistics& statistics) {
  if (test.statistic <= 0) return 0;
  // The quotient, not the formula solved for b: rounding could contradict the test's own outcome.
  const double local_batch_size =
      static_cast<double>(statistics.global_batch_size) / statistics.num_workers;
  return local_batch_size * (test.statistic / test.threshold);
}

}  // namespace localbatch
