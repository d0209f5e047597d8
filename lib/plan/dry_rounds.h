#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "train/dry_run.h"

namespace localbatch {

struct Experiment;

/// The meetings of the workers in everything that a run does, as its own code holds them.
struct RunMeetings {
  std::vector<Meeting> round;           ///< that looks at no gradients
  std::vector<Meeting> measured_round;  ///< that does
  std::vector<Meeting> audited_round;   ///< that is measured, and audited
  std::vector<Meeting> local_step;
  std::vector<Meeting> evaluation;
  std::vector<Meeting> end;
};

/// Goes once through each with a worker that `make_worker` gives, for dry runs if there is one.
RunMeetings meetings_of(
    const Experiment& experiment,
    const std::function<std::unique_ptr<TrainingWorker>(Communicator&)>& make_worker);

/// What a run consists of, as far as that is known before it starts.
struct RoundCount {
  std::int64_t rounds = 0, samples = 0;
  std::int64_t local_steps = 0;     ///< of a worker
  std::int64_t worker_samples = 0;  ///< that a worker processes
  std::int64_t measured = 0;        ///< rounds that look at gradients, audits included
  std::int64_t audited = 0;
  std::int64_t evaluations = 0;
  int sync_interval = 1, local_batch_size = 1;  ///< of the first round
  /// Whether H or b will follow from losses and gradients: then all of this holds only as long as
  /// they stay what they are in the first round.
  bool assumes_sync_interval = false, assumes_local_batch_size = false;
};

/// Walks through the rounds of a run as LocalSgd plans them, without training. Rules for H and b
/// that depend on samples and the learning rate alone are followed. `sync_interval`: a constant H
/// in place of the rule.
RoundCount count_rounds(const Experiment& experiment, std::int64_t epoch_samples,
                        std::optional<int> sync_interval = {});

}  // namespace localbatch
