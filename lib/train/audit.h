#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "core/options.h"
#include "train/sample_gradients.h"

namespace localbatch {

/// When the cheap statistics of a run are compared with exact ones, and with how many samples.
struct AuditOptions {
  int every_rounds = 0;  ///< 0: never
  int samples = 256;     ///< of all workers together, dealt as evenly as possible
  bool inner_products = true;

  bool due(std::int64_t round) const { return every_rounds > 0 && round % every_rounds == 0; }
};

AuditOptions read_audit_options(Options& options);

/// The local batch size that a controller asks for on these statistics, empty if none.
using WishOf = std::function<std::optional<double>(const GradientStatistics&)>;

/// An estimate with the standard error that the jackknife gives it: with R leave-one-out estimates,
/// error^2 = (R - 1)/R sum_i (estimate_i - their mean)^2 (Efron and Stein 1981).
struct Judged {
  double value = 0;
  double error = 0;
};

/// The cheap statistics of a round and exact ones at the same points, the workers' parameters
/// before the measured local step.
struct Audit {
  int samples = 0;
  GradientStatistics cheap = {}, exact = {};
  Judged variance = {}, squared_norm = {};  ///< exact
  Judged ratio = {};  ///< cheap variance / exact variance; the error is the exact one's
  std::optional<double> cheap_wish = {};
  std::optional<Judged> exact_wish = {};
};

/// Compares `cheap` with the samples of all workers, each worker being a group. Collective, the
/// same on all workers.
Audit audit_statistics(const GradientStatistics& cheap, const SampleGradients& mine,
                       const StatisticsOptions& options, int local_batch_size, const WishOf& wish,
                       Communicator& comm);

}  // namespace localbatch
