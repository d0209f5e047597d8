#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "optim/momentum_response.h"
#include "train/chunk_gradients.h"
#include "train/method.h"
#include "train/worker.h"

namespace localbatch {

/// One worker's instrument: watches the local steps of a round, and tells the statistics of their
/// gradients when the round is over. Does not change what it watches.
class Meter {
 public:
  /// Throws an internal error where chunks are displacements and local steps are not linear.
  Meter(const LocalSgd& method, Communicator& comm);

  void begin(const RoundPlan& plan);

  /// The worker's local step h of the round, with what is measured before, in and after it.
  /// Returns the loss.
  double local_step(Worker& worker, int h);

  /// Of the worker's local steps so far in the round.
  double mean_gradient_norm() const { return gradient_norms_ / plan_.local_steps; }
  int clipped_steps() const { return clipped_steps_; }

  /// At the synchronization: adds what is to be averaged together with the parameters.
  void add_averaged(const Worker& worker, std::vector<Averaged>& averaged);

  /// After it: this worker's share in the sums of all, from its parameters, the mean of all, and
  /// what all began with.
  GroupSums own_sums(std::span<const float> x, std::span<const float> mean,
                     std::span<const float> x_begin);

  /// Ends the round: its statistics from the numbers of all workers, with moving averages, and an
  /// audit if one was due. Collective, equal on all workers.
  RoundStatistics statistics(const RoundNumbers& all);

  /// What the next rounds depend on; equal on all workers.
  void visit_state(StateVisitor& visitor);

 private:
  bool is_measured_step(int h) const;
  bool averages_gradients() const;
  void look_before_step(Worker& worker);
  GroupSums share_of_worker() const;
  GroupSums share_of_displacement(std::span<const float> x, std::span<const float> mean,
                                  std::span<const float> x_begin);
  GradientStatistics measured_statistics(const GroupSums& sums) const;
  CoordinateRatios coordinate_ratios() const;

  const LocalSgd& method_;
  MeterOptions options_;
  Communicator& comm_;
  ChunkGradients chunks_;
  std::vector<float> first_gradient_;

  // Of the statistics of past rounds. The test's are of the rounds that it is due in, and those of
  // who looks on of more: what looks on must not change what a test sees.
  MovingAverages tested_averages_, observed_averages_;
  MomentumCarry carry_;  ///< what the workers' velocities hold when a round begins

  // Of the round.
  RoundPlan plan_;
  double gradient_norms_ = 0;  ///< sum over local steps
  int clipped_steps_ = 0;
  std::vector<double> learning_rates_;
  SampleGradients samples_, audit_samples_, audit_in_batch_;
  std::span<const float> gradient_;  ///< of this worker
  std::vector<float> mean_gradient_;
};

}  // namespace localbatch
