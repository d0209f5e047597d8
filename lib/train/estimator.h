#pragma once

#include <array>
#include <cstdint>

#include "batching/gradient_statistics.h"
#include "comm/communicator.h"
#include "core/options.h"

namespace localbatch {

/// What the gradient variance is taken over.
enum class Chunks {
  kWorkers,       ///< the local batch of a worker: averages gradients at the synchronization
  kMicroBatches,  ///< stretches of a local batch, around each worker's own mean gradient
  kSamples,       ///< single samples, likewise; not under batch norm, which couples them
  kDelta,         ///< the workers' displacements in a round: nothing but parameters is averaged
};

/// How the statistics of a test are measured; every choice is a named one because the paper's is
/// not known (method.md 2.3 to 2.5).
struct StatisticsOptions {
  Chunks chunks = Chunks::kWorkers;
  bool at_first_step = false;     ///< measured at h = 0, where all workers stand at the same point
  bool divide_by_chunks = false;  ///< divisor J instead of J - 1
  bool unbiased_squared_norm = false;  ///< |g|^2 - variance/N instead of |g|^2
  double moving_average = 0;           ///< decay of the averages of numerators and denominators
  /// g, whose norm and direction a test looks at, is each worker's own mean gradient, and norms and
  /// variances are means over workers; not the mean of all workers' gradients.
  bool own_gradients = false;

  /// Whether the workers' mean gradients are averaged for a test.
  bool averages_gradients() const { return chunks != Chunks::kDelta && !own_gradients; }
};

StatisticsOptions read_statistics_options(Options& options);

/// What the chunks of one group tell, added up over groups. A group is what stands at one point:
/// all workers, or one of them. Its J chunks have the mean gradients g_j of n_j samples each, and
/// its own mean gradient is g_m. The g that tests look at is the mean over workers, or g_m
/// (own_gradients), made of n samples; d_j = g_j - g_m.
struct GroupSums {
  double groups = 0;
  double chunks = 0;                        ///< sum of J
  double squared_norm = 0;                  ///< sum of |g|^2 over all g, of which there may be one
  double inverse_samples = 0;               ///< sum of 1/n, likewise
  double deviation_squares = 0;             ///< sum of n_j |d_j|^2
  double inner_product_squares = 0;         ///< sum of n_j <d_j, g>^2
  double scaled_inner_product_squares = 0;  ///< sum of n_j <d_j, g>^2/|g|^2
  double squared_deviations = 0;            ///< sum of (n_j |d_j|^2)^2 where workers are the chunks

  GroupSums& operator+=(const GroupSums& other);
  GroupSums& operator-=(const GroupSums& other);
};

/// All fields, for what is done to each of them.
inline constexpr std::array<double GroupSums::*, 8> kGroupSumFields{
    &GroupSums::groups,
    &GroupSums::chunks,
    &GroupSums::squared_norm,
    &GroupSums::inverse_samples,
    &GroupSums::deviation_squares,
    &GroupSums::inner_product_squares,
    &GroupSums::scaled_inner_product_squares,
    &GroupSums::squared_deviations};

/// The sum over all workers' own groups. Collective, the same on all.
GroupSums sum_over_workers(const GroupSums& mine, Communicator& comm);

/// The one estimator of all statistics: the variance of one sample's gradient from sum_j n_j
/// |g_j - g_m|^2, whose expectation is (J - 1) times it. The squared norm of a mean gradient is too
/// large by variance/n on average; what is returned is unbiased, or has the expectation that
/// the mean gradient of all M b samples would have: |g|^2 as published. With fewer than two chunks
/// in every group there is no variance: num_chunks is 1 and the rest 0.
///
/// Where workers are the chunks, q_j = n |d_j|^2 with the sum D, leaving worker i out leaves
/// D - J/(J-1) q_i around the mean of the others, so the jackknife (Efron and Stein 1981) of the
/// variance needs the sum of the q_j^2 and no more.
GradientStatistics estimate(const GroupSums& sums, int num_workers, int local_batch_size,
                            const StatisticsOptions& options, bool inner_products);

}  // namespace localbatch
