#include "train/gradient_statistics.h"

#include <array>

#include "core/vector_math.h"

namespace localbatch {

StatisticsOptions read_statistics_options(Options& options) {
  options.choice("chunks",
                 {.fallback = "workers",
                  .choices = {"workers"},
                  .meaning = "unit of the gradient variance: the local batch of a worker"});
  StatisticsOptions read;
  read.at_first_step =
      options.choice("at", {.fallback = "last",
                            .choices = {"last", "first"},
                            .meaning = "local step whose gradients are tested; at the first one "
                                       "all workers stand at the same point"}) == "first";
  read.divide_by_chunks =
      options.choice("variance_divisor",
                     {.fallback = "chunks_minus_one",
                      .choices = {"chunks_minus_one", "chunks"},
                      .meaning = "J - 1 makes the variance unbiased, J does not"}) == "chunks";
  read.unbiased_squared_norm =
      options.choice("squared_norm",
                     {.fallback = "biased",
                      .choices = {"biased", "unbiased"},
                      .meaning = "|g|^2 of the mean gradient as published, or less its expected "
                                 "noise, variance/(M b)"}) == "unbiased";
  return read;
}

GradientStatistics gradient_statistics(std::span<const float> mine, int local_batch_size,
                                       const StatisticsOptions& options, std::span<float> mean,
                                       Communicator& comm) {
  const int chunks = comm.num_workers();
  GradientStatistics statistics{.num_workers = comm.num_workers(),
                                .num_chunks = chunks,
                                .global_batch_size = std::int64_t{chunks} * local_batch_size};
  if (chunks < 2) return statistics;

  comm.average(mine, mean);
  const double squared_norm = localbatch::squared_norm(mean);
  const double along_mean = inner_product(mine, mean) - squared_norm;
  std::array<double, 2> sums{squared_distance(mine, mean), along_mean * along_mean};
  comm.sum(sums);

  const double per_sample =
      static_cast<double>(local_batch_size) / (options.divide_by_chunks ? chunks : chunks - 1);
  statistics.variance = per_sample * sums[0];
  statistics.inner_product_variance = per_sample * sums[1];
  // |g_j - (p_j/|g|^2) g|^2 = |g_j - g|^2 - (p_j - |g|^2)^2/|g|^2, without the cancellation of
  // large norms that the left side would suffer.
  statistics.orthogonal_variance =
      squared_norm > 0 ? statistics.variance - statistics.inner_product_variance / squared_norm
                       : statistics.variance;
  statistics.squared_norm = squared_norm;
  if (options.unbiased_squared_norm)
    statistics.squared_norm -= local_batch_size * sums[0] / (chunks - 1) /
                               static_cast<double>(statistics.global_batch_size);
  return statistics;
}

}  // namespace localbatch
