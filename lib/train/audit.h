#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/options.h"
#include "train/estimator.h"

namespace localbatch {

class Worker;

/// Gradients that a worker is to look at.
struct SampleRequest {
  int count = 0;
  int samples_each = 1;  ///< each is the mean gradient of so many samples, seen as one micro-batch
  /// Samples of their own, drawn from the worker's data for this round; none: the next ones that
  /// the worker will draw, which it will then still draw.
  std::optional<std::int64_t> audit_round = std::nullopt;
};

/// What is wanted of gradients beside their norms; each asks for the ones before.
enum class SampleProducts {
  kNone,
  kMean,                  ///< with the mean gradient g
  kLeaveOneOut,           ///< what the jackknife of variances and norms takes
  kLeaveOneOutOfProducts  ///< and that of variances of inner products
};

/// What is known of the independent gradients g_i of n samples or micro-batches at a worker's
/// parameters. g_m is their mean, d_i = g_i - g_m, and g the mean that tests look at: that of all
/// workers, or g_m alone.
struct SampleGradients {
  int samples_each = 1;
  int workers = 1;                                                 ///< whose mean g is
  double squared_norm = 0, own_squared_norm = 0, own_product = 0;  ///< |g|^2, |g_m|^2, <g_m, g>
  std::vector<double> squared_norms = {};                          ///< |g_i|^2
  // Empty where they were not asked for; w is the sum over those workers' <d_j, g> d_j.
  std::vector<double> inner_products = {};     ///< <g_i, g>
  std::vector<double> own_products = {};       ///< <g_i, g_m>
  std::vector<double> weighted_products = {};  ///< <d_i, w>

  std::size_t size() const { return squared_norms.size(); }
};

/// Looks at them, once for every array of products. Collective if g is the mean of all workers.
SampleGradients look_at_samples(Worker& worker, const SampleRequest& request, SampleProducts wanted,
                                bool own_gradients, Communicator& comm);

/// What a worker would know of the same micro-batches if their samples were independent.
SampleGradients look_into_batches(Worker& worker, const SampleRequest& request,
                                  const SampleGradients& micro_batches);

/// The g_i as the chunks of one group.
GroupSums group_sums(const SampleGradients& samples);

/// The sums of all workers that g is the mean of, without g_i (the jackknife). Exact but for
/// inner_product_squares: of these the part of second order, sum_j <d_j, d_i>^2/(n - 1)^2, is left
/// out, and all of the change without weighted_products. Without own_products <g_i, g_m> is taken
/// to be |g_m|^2.
GroupSums group_sums_without(const SampleGradients& samples, const GroupSums& all, std::size_t i);

/// When the cheap statistics of a run are compared with those of gradients that are independent and
/// of one point, and with how many samples.
struct AuditOptions {
  int every_rounds = 0;  ///< 0: never
  int samples = 256;     ///< of all workers together, dealt as evenly as possible
  bool inner_products = true;
  bool samples_in_batch = false;

  bool due(std::int64_t round) const { return every_rounds > 0 && round % every_rounds == 0; }
};

AuditOptions read_audit_options(Options& options);

/// The local batch size that a controller asks for on these statistics, empty if none.
using WantedOf = std::function<std::optional<double>(const GradientStatistics&)>;

/// An estimate with the standard error that the jackknife gives it (Efron and Stein 1981), with the
/// factor of a jackknife within each worker, whose n gradients have a mean of their own:
///   error^2 = sum_m (n_m - 1)/n_m sum_i (estimate without gradient i of m - mean of all those)^2.
/// The mean is that of all workers: two gradients of a worker do not tell how its variance
/// scatters.
struct Estimate {
  double value = 0;
  double error = 0;
};

/// Variance and squared norm without noise as they come out if the coupled samples of micro-batches
/// are taken for independent ones.
struct SamplesInBatch {
  Estimate variance = {};
  double unbiased_squared_norm = 0;
};

/// The cheap statistics of a round and those of independent gradients at the same points, the
/// workers' parameters before the measured local step: single samples, or under batch norm
/// micro-batches as a local step has them.
struct Audit {
  int samples = 0, samples_each = 1;
  GradientStatistics cheap = {}, exact = {};
  Estimate variance = {}, squared_norm = {};  ///< exact
  Estimate ratio = {};  ///< cheap variance / exact variance; the error is the exact one's
  std::optional<double> cheap_wanted = {};
  std::optional<Estimate> exact_wanted = {};
  std::optional<SamplesInBatch> samples_in_batch = {};
};

/// Compares `cheap` with the gradients of all workers, each worker being a group. Collective, the
/// same on all workers.
Audit audit_statistics(const GradientStatistics& cheap, const SampleGradients& mine,
                       const StatisticsOptions& options, int local_batch_size,
                       const WantedOf& wanted, Communicator& comm);

/// Collective, the same on all workers.
SamplesInBatch statistics_in_batch(const SampleGradients& mine, const StatisticsOptions& options,
                                   int local_batch_size, Communicator& comm);

}  // namespace localbatch
