#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "batching/batch_size_limits.h"
#include "optim/learning_rate.h"
#include "optim/momentum_response.h"
#include "optim/sync_interval.h"
#include "train/parameter_average.h"
#include "train/parameter_stream.h"
#include "train/round.h"

namespace localbatch {

/// What a Meter is to measure, and how.
struct MeterOptions {
  StatisticsOptions statistics = {};
  StatisticsNeeds needs = {};  ///< of all controllers that look
  AuditOptions audit = {};
};

/// What the experiment chose: everything that all workers share and nobody changes, and what
/// follows from it for a round before and after it takes place.
struct LocalSgd {
  int num_workers = 1;           ///< M
  std::int64_t max_samples = 0;  ///< budget of all workers together
  /// The budget that learning rates are a function of, where it is not that one: a branch ends
  /// earlier than the run that it goes on from, and keeps its rates.
  std::optional<std::int64_t> scheduled_samples = {};
  /// Of a branch: b in place of what the run that it goes on from had reached.
  std::optional<int> branch_local_batch_size = {};
  int initial_local_batch_size = 1;
  LearningRate learning_rate;
  LearningRateCoupling learning_rate_coupling;
  SyncInterval sync_interval;
  std::shared_ptr<const BatchSizeController> controller;
  BatchSizeLimits limits;
  StatisticsOptions statistics = {};
  AuditOptions audit = {};
  StatisticsNeeds observer_needs = {};  ///< of those who look at statistics beside the controller
  std::optional<LinearSteps> inner_steps = {};  ///< if the inner optimizer's are linear
  StatePolicy velocity_at_sync = StatePolicy::kKeep;
  ParameterFormat format = {};               ///< what parameters travel as
  std::optional<StreamOptions> stream = {};  ///< they travel while local steps go on
  /// FedProx's mu: after each local step a proximal step of mu/2 |x - x_k|^2; 0: none. Not beside a
  /// stream.
  double proximal = 0;
  /// Workers' moves are averaged with the weights softmax(-|x^m - x_k|/temperature); none: alike.
  /// Not beside a stream.
  std::optional<double> weights_temperature = {};

  /// The round after `progress`: b as it is there, H as the rule says, and who looks at its
  /// gradients. The local steps of the last two rounds share evenly what is left of the budget, so
  /// that runs of all batch sizes process as much: max_samples, and less than one sample more per
  /// worker and local step of the last round. A pure function: the command `plan` walks a run by
  /// it. The plan's learning rates must not outlive the method.
  RoundPlan plan(const Progress& progress) const;

  /// H of that round as the rule says, whatever the budget allows.
  int wanted_sync_interval(const Progress& progress) const;

  /// What the round came to, with the local batch size of the next one.
  RoundRecord decide(const RoundPlan& plan, const RoundNumbers& numbers,
                     const RoundStatistics& gradients) const;

  /// What `asked` makes of these statistics of a round. Without statistics a controller that looks
  /// at some is not asked, and the reason says so.
  Wanted wanted_by(const BatchSizeController& asked, const RoundRecord& round,
                   const std::optional<GradientStatistics>& seen) const;

  /// The batch size that the controller wants on any statistics of this round, for an audit.
  WantedOf wanted_of(const RoundPlan& plan, const RoundNumbers& numbers) const;

  /// What a meter is to measure for everybody who looks.
  MeterOptions meter_options() const;

  /// Whether a round's record has inner products, whoever else looks at them.
  bool shows_inner_products() const;

 private:
  std::function<double(int h)> learning_rates(const Progress& progress) const;
  double share_of_peak(std::int64_t samples) const;
  RoundRecord record_of(const RoundPlan& plan, const RoundNumbers& numbers) const;
};

}  // namespace localbatch
