#include "train/estimator.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace localbatch {

StatisticsOptions read_statistics_options(Options& options) {
  StatisticsOptions read;
  read.chunks = options.choice<Chunks>(
      "chunks",
      {.fallback = Chunks::kWorkers,
       .choices = {{"workers", Chunks::kWorkers},
                   {"micro_batches", Chunks::kMicroBatches},
                   {"samples", Chunks::kSamples},
                   {"delta", Chunks::kDelta}},
       .meaning = "what the gradient variance is taken over: the workers' local batches (averages "
                  "gradients at the synchronization), stretches of micro-batches in each local "
                  "batch, single samples (costs another step; not under batch norm, which couples "
                  "them), or the workers' displacements in a round (costs nothing; for sgd)"});
  read.at_first_step = options.choice<bool>(
      "at", {.fallback = false,
             .choices = {{"last", false}, {"first", true}},
             .meaning = "local step whose gradients are tested: the last one, as in AdLoCo (arXiv "
                        "2508.18182), or the first one, where all workers stand at the same point, "
                        "so that their gradients differ by noise alone and a test grows later"});
  if (read.at_first_step && read.chunks == Chunks::kDelta)
    options.fail("at",
                 "found 'first', allowed with chunks: delta is last: displacements are those "
                 "of a whole round");
  read.divide_by_chunks = options.choice<bool>(
      "variance_divisor", {.fallback = false,
                           .choices = {{"chunks_minus_one", false}, {"chunks", true}},
                           .meaning = "J - 1 makes the variance unbiased, J does not"});
  read.unbiased_squared_norm = options.choice<bool>(
      "squared_norm", {.fallback = false,
                       .choices = {{"biased", false}, {"unbiased", true}},
                       .meaning = "|g|^2 of the mean gradient as published, or less its "
                                  "expected noise, variance/(M b), which in a single round can "
                                  "leave nothing: with a moving average only"});
  read.moving_average = options.number(
      "moving_average",
      {.fallback = 0,
       .min = 0,
       .max = 0.9999,
       .meaning = "variances and squared norms are averaged over rounds, each by itself, a round "
                  "counting this much of the one after it, so that no single round decides; 0: no "
                  "average"});
  read.own_gradients = options.choice<bool>(
      "gradient",
      {.fallback = false,
       .choices = {{"mean_over_workers", false}, {"own", true}},
       .meaning =
           "g, whose norm and direction are looked at: the mean of all workers' gradients, as "
           "in the literature, or each worker's own, the squares being averaged afterwards "
           "(for micro_batches and samples, of which then scalars alone are communicated)"});
  if (read.own_gradients && (read.chunks == Chunks::kWorkers || read.chunks == Chunks::kDelta))
    options.fail("gradient",
                 "found 'own', which is for chunks: micro_batches | samples; allowed here is "
                 "mean_over_workers");
  options.choice("samples_under_batch_norm",
                 {.fallback = "batch_terms",
                  .choices = {"batch_terms"},
                  .meaning = "a key that earlier builds recorded in every run's settings; of its "
                             "choices the one without influence is left"});
  return read;
}

GroupSums& GroupSums::operator+=(const GroupSums& other) {
  for (const auto field : kGroupSumFields) this->*field += other.*field;
  return *this;
}

GroupSums& GroupSums::operator-=(const GroupSums& other) {
  for (const auto field : kGroupSumFields) this->*field -= other.*field;
  return *this;
}

GroupSums sum_over_workers(const GroupSums& mine, Communicator& comm) {
  std::array<double, kGroupSumFields.size()> values{};
  for (std::size_t i = 0; i < kGroupSumFields.size(); ++i) values[i] = mine.*kGroupSumFields[i];
  comm.sum(values, Traffic::kStatistics);
  GroupSums sum;
  for (std::size_t i = 0; i < kGroupSumFields.size(); ++i) sum.*kGroupSumFields[i] = values[i];
  return sum;
}

namespace {

/// Of deviation_squares over the divisor, which is that of `chunks` chunks less `taken`.
std::optional<double> jackknife_error(const GroupSums& sums, double taken) {
  const double chunks = sums.chunks, left = chunks - 1 - taken;
  if (sums.squared_deviations == 0 || left <= 0) return {};
  const double scatter =
      sums.squared_deviations - sums.deviation_squares * sums.deviation_squares / chunks;
  const double change = chunks / (chunks - 1) / left;  // of an estimate, for each q_i left out
  return std::sqrt((chunks - 1) / chunks * std::max(0.0, scatter)) * change;
}

}  // namespace

GradientStatistics estimate(const GroupSums& sums, int num_workers, int local_batch_size,
                            const StatisticsOptions& options, bool inner_products) {
  GradientStatistics statistics{.num_workers = num_workers,
                                .num_chunks = 1,
                                .global_batch_size = std::int64_t{num_workers} * local_batch_size,
                                .has_inner_products = inner_products};
  if (sums.chunks <= sums.groups) return statistics;

  statistics.num_chunks = static_cast<int>(sums.chunks);
  const double freedom = sums.chunks - sums.groups;
  const double divisor = options.divide_by_chunks ? sums.chunks : freedom;
  statistics.variance = sums.deviation_squares / divisor;
  if (sums.chunks >= 3)
    statistics.variance_standard_error =
        jackknife_error(sums, options.divide_by_chunks ? 0 : sums.groups);
  if (inner_products) {
    statistics.inner_product_variance = sums.inner_product_squares / divisor;
    // |g_j - (p_j/|g|^2) g|^2 = |g_j - g|^2 - (p_j - |g|^2)^2/|g|^2, without the cancellation of
    // large norms that the left side would suffer.
    statistics.orthogonal_variance =
        (sums.deviation_squares - sums.scaled_inner_product_squares) / divisor;
  }
  const double gradients = options.own_gradients ? num_workers : 1;
  const double squared_norm = sums.squared_norm / gradients;
  const double noise = sums.deviation_squares / freedom;
  const double of_one = sums.inverse_samples / gradients;
  const double of_all = 1 / static_cast<double>(statistics.global_batch_size);
  statistics.unbiased_squared_norm = squared_norm - noise * of_one;
  statistics.squared_norm = options.unbiased_squared_norm
                                ? statistics.unbiased_squared_norm
                                : squared_norm + noise * (of_all - of_one);
  return statistics;
}

}  // namespace localbatch
