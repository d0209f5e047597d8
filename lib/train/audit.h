#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/options.h"
#include "train/estimator.h"

namespace localbatch {

/// Which samples, and what of them.
struct SampleRequest {
  int samples = 0;
  /// A set of its own, drawn from the worker's data for this round; none: the next ones that the
  /// worker will draw, which it will then still draw.
  std::optional<std::int64_t> audit_round = std::nullopt;
  bool inner_products = false;
};

/// What is known of the gradients g_i of single samples at a worker's parameters.
struct SampleGradients {
  std::vector<double> squared_norms;   ///< |g_i|^2
  std::vector<double> inner_products;  ///< <g_i, g> with their mean g; empty: not asked for
  double mean_squared_norm = 0;        ///< |g|^2

  std::size_t size() const { return squared_norms.size(); }
};

/// The samples as the chunks of one group.
GroupSums group_sums(const SampleGradients& samples);

/// The same without sample i (the jackknife). Where inner products were not asked for, <g_i, g> is
/// taken to be their mean, |g|^2; the inner products of the other samples are taken with the g of
/// all.
GroupSums group_sums_without(const SampleGradients& samples, const GroupSums& all, std::size_t i);

/// When the cheap statistics of a run are compared with exact ones, and with how many samples.
struct AuditOptions {
  int every_rounds = 0;  ///< 0: never
  int samples = 256;     ///< of all workers together, dealt as evenly as possible
  bool inner_products = true;

  bool due(std::int64_t round) const { return every_rounds > 0 && round % every_rounds == 0; }
};

AuditOptions read_audit_options(Options& options);

/// The local batch size that a controller asks for on these statistics, empty if none.
using WantedOf = std::function<std::optional<double>(const GradientStatistics&)>;

/// An estimate with the standard error that the jackknife gives it: with R leave-one-out estimates,
/// error^2 = (R - 1)/R sum_i (estimate_i - their mean)^2 (Efron and Stein 1981).
struct Estimate {
  double value = 0;
  double error = 0;
};

/// The cheap statistics of a round and exact ones at the same points, the workers' parameters
/// before the measured local step.
struct Audit {
  int samples = 0;
  GradientStatistics cheap = {}, exact = {};
  Estimate variance = {}, squared_norm = {};  ///< exact
  Estimate ratio = {};  ///< cheap variance / exact variance; the error is the exact one's
  std::optional<double> cheap_wanted = {};
  std::optional<Estimate> exact_wanted = {};
};

/// Compares `cheap` with the samples of all workers, each worker being a group. Collective, the
/// same on all workers.
Audit audit_statistics(const GradientStatistics& cheap, const SampleGradients& mine,
                       const StatisticsOptions& options, int local_batch_size,
                       const WantedOf& wanted, Communicator& comm);

}  // namespace localbatch
