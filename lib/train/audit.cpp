#include "train/audit.h"

#include <array>
#include <cmath>

namespace localbatch {

namespace {

/// Sums of leave-one-out estimates, as distances from the estimate of all.
class Jackknife {
 public:
  explicit Jackknife(double of_all) : of_all_(of_all) {}

  void add(double without_one) {
    const double difference = without_one - of_all_;
    sum_ += difference;
    squares_ += difference * difference;
    count_ += 1;
  }

  /// Adds up those of all workers. Collective.
  Estimate result(Communicator& comm) const {
    std::array<double, 3> sums{sum_, squares_, count_};
    comm.sum(sums, Traffic::kStatistics);
    const double mean = sums[0] / sums[2];
    const double scatter = sums[1] - sums[2] * mean * mean;
    return {of_all_, std::sqrt((sums[2] - 1) / sums[2] * (scatter < 0 ? 0 : scatter))};
  }

 private:
  double of_all_;
  double sum_ = 0, squares_ = 0, count_ = 0;
};

}  // namespace

AuditOptions read_audit_options(Options& options) {
  AuditOptions read;
  read.every_rounds = options.integer<int>(
      "every_rounds",
      {.fallback = 0,
       .min = 0,
       .max = 1'000'000'000,
       .meaning = "rounds from one audit to the next, at which exact per-sample statistics are "
                  "computed beside those of the test, into audits.csv; 0: none"});
  read.samples =
      options.integer<int>("samples", {.fallback = 256,
                                       .min = 2,
                                       .max = 1 << 24,
                                       .meaning = "of all workers together, drawn for the audit "
                                                  "alone; at least two a worker"});
  read.inner_products = options.flag(
      "inner_products", {.fallback = true,
                         .meaning = "also inner products of every sample's gradient with their "
                                    "mean, for which the samples are seen twice; always when a "
                                    "controller needs them"});
  return read;
}

Audit audit_statistics(const GradientStatistics& cheap, const SampleGradients& mine,
                       const StatisticsOptions& options, int local_batch_size,
                       const WantedOf& wanted, Communicator& comm) {
  StatisticsOptions exact_options = options;
  exact_options.divide_by_chunks = false;
  const bool inner_products = !mine.inner_products.empty();
  const auto statistics_of = [&](const GroupSums& sums) {
    return estimate(sums, comm.num_workers(), local_batch_size, exact_options, inner_products);
  };
  const GroupSums own = group_sums(mine);
  const GroupSums all = sum_over_workers(own, comm);

  Audit audit{.samples = static_cast<int>(all.chunks),
              .cheap = cheap,
              .exact = statistics_of(all),
              .cheap_wanted = wanted(cheap)};
  const std::optional<double> exact_wanted = wanted(audit.exact);
  Jackknife variance(audit.exact.variance), squared_norm(audit.exact.squared_norm);
  Jackknife ratio(cheap.variance / audit.exact.variance), wanted_sizes(exact_wanted.value_or(0));
  for (std::size_t i = 0; i < mine.size(); ++i) {
    GroupSums others = all;
    others -= own;
    others += group_sums_without(mine, own, i);
    const GradientStatistics without = statistics_of(others);
    variance.add(without.variance);
    squared_norm.add(without.squared_norm);
    ratio.add(cheap.variance / without.variance);
    wanted_sizes.add(exact_wanted ? wanted(without).value_or(*exact_wanted) : 0);
  }
  audit.variance = variance.result(comm);
  audit.squared_norm = squared_norm.result(comm);
  audit.ratio = ratio.result(comm);
  const Estimate wanted_size = wanted_sizes.result(comm);
  if (exact_wanted) audit.exact_wanted = wanted_size;
  return audit;
}

GroupSums group_sums(const SampleGradients& samples) {
  const double n = static_cast<double>(samples.size());
  const double norm = samples.mean_squared_norm;
  GroupSums sums{.groups = 1, .chunks = n, .squared_norm = norm, .inverse_samples = 1 / n};
  for (const double square : samples.squared_norms) sums.deviation_squares += square;
  sums.deviation_squares -= n * norm;
  if (sums.deviation_squares < 0)
    sums.deviation_squares = 0;  // equal gradients, rounded; NaN is to stay
  for (const double product : samples.inner_products)
    sums.inner_product_squares += (product - norm) * (product - norm);
  sums.scaled_inner_product_squares = norm > 0 ? sums.inner_product_squares / norm : 0;
  return sums;
}

GroupSums group_sums_without(const SampleGradients& samples, const GroupSums& all, std::size_t i) {
  const double n = all.chunks, rest = n - 1;
  const double norm = all.squared_norm;
  const double square = samples.squared_norms[i];
  const double product = samples.inner_products.empty() ? norm : samples.inner_products[i];
  const double distance = square - 2 * product + norm;
  GroupSums sums = all;
  sums.chunks = rest;
  sums.inverse_samples = 1 / rest;
  sums.squared_norm = (n * n * norm - 2 * n * product + square) / (rest * rest);
  sums.deviation_squares -= n / rest * distance;
  sums.inner_product_squares -= n / rest * (product - norm) * (product - norm);
  sums.scaled_inner_product_squares = norm > 0 ? sums.inner_product_squares / norm : 0;
  return sums;
}

}  // namespace localbatch
