#include "train/audit.h"

#include <array>
#include <cmath>

#include "core/vector_math.h"
#include "train/worker.h"

namespace localbatch {

namespace {

/// Sums of a worker's leave-one-out estimates, as distances from the estimate of all.
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
    const double weight = (count_ - 1) / count_;
    std::array<double, 5> sums{sum_, count_, weight * sum_, weight * squares_, weight * count_};
    comm.sum(sums, Traffic::kStatistics);
    const double mean = sums[0] / sums[1];
    const double scatter = sums[3] - 2 * mean * sums[2] + mean * mean * sums[4];
    return {of_all_, std::sqrt(scatter < 0 ? 0 : scatter)};
  }

 private:
  double of_all_;
  double sum_ = 0, squares_ = 0, count_ = 0;
};

/// Calls look(sums) with the sums of all workers without each of this worker's gradients in turn.
template <class Look>
void leave_each_out(const SampleGradients& mine, const GroupSums& own, const GroupSums& all,
                    const Look& look) {
  // Without a gradient, only what has the same g changes.
  const GroupSums& changing = mine.workers > 1 ? all : own;
  for (std::size_t i = 0; i < mine.size(); ++i) {
    GroupSums without = all;
    without -= changing;
    without += group_sums_without(mine, changing, i);
    look(without);
  }
}

}  // namespace

AuditOptions read_audit_options(Options& options) {
  AuditOptions read;
  read.every_rounds = options.integer<int>(
      "every_rounds",
      {.fallback = 0,
       .min = 0,
       .max = 1'000'000'000,
       .meaning = "rounds from one audit to the next, at which statistics of independent gradients "
                  "at the workers' own points are computed beside those of the test, into "
                  "audits.csv: of single samples, or under batch norm of micro-batches as large as "
                  "those of a local step; 0: none"});
  read.samples =
      options.integer<int>("samples", {.fallback = 256,
                                       .min = 2,
                                       .max = 1 << 24,
                                       .meaning = "of all workers together, drawn for the audit "
                                                  "alone; at least two gradients a worker"});
  read.inner_products =
      options.flag("inner_products",
                   {.fallback = true,
                    .meaning = "also inner products of the gradients with their mean, for which "
                               "the samples are seen once or twice more, twice more again for "
                               "the standard error of what an inner-product test would want; "
                               "always when a controller needs them"});
  read.samples_in_batch = options.flag(
      "samples_in_batch",
      {.fallback = false,
       .meaning = "also, under batch norm, what comes out if the summands of single samples in "
                  "those micro-batches are taken for independent gradients, which they are not"});
  return read;
}

SampleGradients look_at_samples(Worker& worker, const SampleRequest& request, SampleProducts wanted,
                                bool own_gradients, Communicator& comm) {
  const int workers = own_gradients ? 1 : comm.num_workers();
  SampleGradients seen{.samples_each = request.samples_each, .workers = workers};
  const auto size = static_cast<std::size_t>(request.count);
  const auto products_with = [&](std::span<const float> direction) {
    std::vector<double> products(size);
    worker.sample_gradients(request, {.inner_products = products, .direction = direction}, {});
    return products;
  };
  seen.squared_norms.resize(size);
  std::vector<float> own_mean(worker.parameters().size());
  worker.sample_gradients(request, {.squared_norms = seen.squared_norms}, own_mean);
  const float share = 1 / static_cast<float>(request.count);
  for (float& value : own_mean) value *= share;
  std::vector<float> mean_of_all;
  if (!own_gradients) {
    mean_of_all.resize(own_mean.size());
    comm.average(own_mean, mean_of_all, Traffic::kGradients);
  }
  const std::span<const float> mean = own_gradients ? own_mean : mean_of_all;
  seen.squared_norm = squared_norm(mean);
  seen.own_squared_norm = squared_norm(own_mean);
  seen.own_product = own_gradients ? seen.squared_norm : inner_product(own_mean, mean);
  if (wanted >= SampleProducts::kMean) seen.inner_products = products_with(mean);
  if (wanted >= SampleProducts::kLeaveOneOut)
    seen.own_products = own_gradients ? seen.inner_products : products_with(own_mean);
  if (wanted < SampleProducts::kLeaveOneOutOfProducts) return seen;

  std::vector<double> weights = seen.inner_products;
  for (double& weight : weights) weight -= seen.own_product;
  std::vector<float> weighted(own_mean.size());
  worker.sample_gradients(request, {.weights = weights}, weighted);
  if (!own_gradients) comm.average(weighted, weighted, Traffic::kGradients);
  seen.weighted_products = products_with(weighted);
  const double own = inner_product(own_mean, weighted);
  for (double& product : seen.weighted_products) product = workers * (product - own);
  return seen;
}

SampleGradients look_into_batches(Worker& worker, const SampleRequest& request,
                                  const SampleGradients& micro_batches) {
  SampleGradients seen{.workers = micro_batches.workers,
                       .squared_norm = micro_batches.squared_norm,
                       .own_squared_norm = micro_batches.own_squared_norm,
                       .own_product = micro_batches.own_product};
  seen.squared_norms.resize(static_cast<std::size_t>(request.count) *
                            static_cast<std::size_t>(request.samples_each));
  worker.samples_in_batch(request, seen.squared_norms);
  return seen;
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

  Audit audit{.samples = static_cast<int>(all.chunks) * mine.samples_each,
              .samples_each = mine.samples_each,
              .cheap = cheap,
              .exact = statistics_of(all),
              .cheap_wanted = wanted(cheap)};
  const std::optional<double> exact_wanted = wanted(audit.exact);
  Jackknife variance(audit.exact.variance), squared_norm(audit.exact.squared_norm);
  Jackknife ratio(cheap.variance / audit.exact.variance), wanted_sizes(exact_wanted.value_or(0));
  leave_each_out(mine, own, all, [&](const GroupSums& others) {
    const GradientStatistics without = statistics_of(others);
    variance.add(without.variance);
    squared_norm.add(without.squared_norm);
    ratio.add(cheap.variance / without.variance);
    wanted_sizes.add(exact_wanted ? wanted(without).value_or(*exact_wanted) : 0);
  });
  audit.variance = variance.result(comm);
  audit.squared_norm = squared_norm.result(comm);
  audit.ratio = ratio.result(comm);
  const Estimate wanted_size = wanted_sizes.result(comm);
  if (exact_wanted) audit.exact_wanted = wanted_size;
  return audit;
}

SamplesInBatch statistics_in_batch(const SampleGradients& mine, const StatisticsOptions& options,
                                   int local_batch_size, Communicator& comm) {
  StatisticsOptions its_options = options;
  its_options.divide_by_chunks = false;
  const auto statistics_of = [&](const GroupSums& sums) {
    return estimate(sums, comm.num_workers(), local_batch_size, its_options, false);
  };
  const GroupSums own = group_sums(mine);
  const GroupSums all = sum_over_workers(own, comm);
  const GradientStatistics statistics = statistics_of(all);
  Jackknife variance(statistics.variance);
  leave_each_out(mine, own, all,
                 [&](const GroupSums& others) { variance.add(statistics_of(others).variance); });
  return {.variance = variance.result(comm),
          .unbiased_squared_norm = statistics.unbiased_squared_norm};
}

GroupSums group_sums(const SampleGradients& samples) {
  const double n = static_cast<double>(samples.size());
  const double each = samples.samples_each;
  const double share = 1.0 / samples.workers;
  GroupSums sums{.groups = 1,
                 .chunks = n,
                 .squared_norm = share * samples.squared_norm,
                 .inverse_samples = share * share / (each * n)};
  for (const double square : samples.squared_norms) sums.deviation_squares += square;
  sums.deviation_squares -= n * samples.own_squared_norm;
  sums.deviation_squares *= each;
  if (sums.deviation_squares < 0)
    sums.deviation_squares = 0;  // equal gradients, rounded; NaN is to stay
  for (const double product : samples.inner_products)
    sums.inner_product_squares +=
        each * (product - samples.own_product) * (product - samples.own_product);
  sums.scaled_inner_product_squares =
      samples.squared_norm > 0 ? sums.inner_product_squares / samples.squared_norm : 0;
  return sums;
}

GroupSums group_sums_without(const SampleGradients& samples, const GroupSums& all, std::size_t i) {
  const double n = static_cast<double>(samples.size()), rest = n - 1;
  const double each = samples.samples_each;
  const double share = 1.0 / samples.workers;
  const auto from_mean = [i](const std::vector<double>& products, double mean) {
    return products.empty() ? 0 : products[i] - mean;
  };
  const double along = from_mean(samples.inner_products, samples.own_product);  // <d_i, g>
  const double own = from_mean(samples.own_products, samples.own_squared_norm);
  const double distance = samples.squared_norms[i] - samples.own_squared_norm - 2 * own;  // |d_i|^2
  // g_m loses d_i/(n - 1), and so g loses `step` times d_i.
  const double step = share / rest;
  GroupSums sums = all;
  sums.chunks -= 1;
  sums.inverse_samples += share * share * (1 / rest - 1 / n) / each;
  sums.squared_norm = samples.squared_norm - 2 * step * along + step * step * distance;
  sums.deviation_squares -= each * n / rest * distance;
  if (!samples.weighted_products.empty()) {
    // Each other <d_j, g> loses step <d_j, d_i>, and those of this worker get `shift` as their mean
    // moves.
    const double shift = (along - step * distance) / rest;
    sums.inner_product_squares -=
        each * (along * along + 2 * step * (samples.weighted_products[i] - along * distance) +
                rest * shift * shift);
  }
  sums.scaled_inner_product_squares =
      sums.squared_norm > 0 ? sums.inner_product_squares / sums.squared_norm : 0;
  return sums;
}

}  // namespace localbatch
