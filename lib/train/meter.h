#pragma once

#include <optional>
#include <vector>

#include "optim/momentum_response.h"
#include "train/audit.h"
#include "train/worker.h"

namespace localbatch {

/// What is to be measured, and how.
struct Measurement {
  StatisticsOptions statistics = {};
  StatisticsNeeds needs = {};  ///< of all controllers that look
  AuditOptions audit = {};
  std::optional<LinearSteps> steps =
      {};  ///< of the inner optimizer; must be there for Chunks::kDelta
};

/// One worker's instrument: watches the local steps of a round, and tells the statistics of their
/// gradients when the round is over. Does not change what it watches.
class GradientMeter {
 public:
  GradientMeter(const Measurement& measurement, Communicator& comm);

  /// Round numbers count from 1. Without `statistics` and an audit that is due, nothing is
  /// measured. `carry` is what the velocities hold.
  void begin_round(std::int64_t round, bool statistics, int local_batch_size, int local_steps,
                   const MomentumCarry& carry);

  /// Around each local step, which gets `listener` (perhaps null).
  void before_step(Worker& worker, int h, double learning_rate);
  ChunkGradients* listener();
  void after_step(const Worker& worker);

  /// At the synchronization: adds what is to be averaged together with the parameters.
  void add_averaged(const Worker& worker, std::vector<Averaged>& averaged);

  /// After it: this worker's share in the sums of all, from its parameters, the mean of all, and
  /// what all began with.
  GroupSums own_sums(std::span<const float> x, std::span<const float> mean,
                     std::span<const float> x_begin);

  /// Of the round, from everybody's shares added up; empty if nothing was measured. Collective, the
  /// same on all workers.
  std::optional<GradientStatistics> statistics(const GroupSums& sums);

  /// What the audit found, if one was due; after statistics(). Collective.
  std::optional<Audit> audit(const WantedOf& wanted);

 private:
  bool measures() const { return wants_statistics_ || audits_; }
  bool is_measured_step() const;
  GroupSums share_of_worker() const;
  GroupSums share_of_displacement(std::span<const float> x, std::span<const float> mean,
                                  std::span<const float> x_begin);
  CoordinateRatios coordinate_ratios() const;

  Measurement measurement_;
  Communicator& comm_;
  ChunkGradients chunks_;
  std::vector<float> first_gradient_;

  // Of the round.
  MomentumCarry carry_;
  std::int64_t round_ = 0;
  bool wants_statistics_ = false, audits_ = false;
  int local_batch_size_ = 1, local_steps_ = 1, h_ = 0;
  std::vector<double> learning_rates_;
  SampleGradients samples_, audit_samples_;
  std::span<const float> gradient_;  ///< of this worker
  std::vector<float> mean_gradient_;
  std::optional<GradientStatistics> measured_;
};

}  // namespace localbatch
