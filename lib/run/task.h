#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "experiment/experiment.h"
#include "train/worker.h"

namespace localbatch {

struct RunStart;

/// What a run trains, with everything that the workers of one process share.
class TrainingTask {
 public:
  virtual ~TrainingTask() = default;

  /// Adds what is known of model and data.
  virtual void describe(RunStart& start) const = 0;

  /// Of all that is read from files or generated.
  virtual std::uint64_t data_checksum() const = 0;

  /// Samples that make an epoch.
  virtual std::int64_t epoch_samples() const = 0;

  /// What has gone wrong since this was last asked without ending the run, a line each.
  virtual std::vector<std::string> take_warnings() { return {}; }

  /// The worker that `comm` belongs to. The task must outlive it.
  virtual std::unique_ptr<TrainingWorker> make_worker(Communicator& comm) = 0;

  /// One with the arrays and the meetings of such a worker, which need not compute.
  virtual std::unique_ptr<TrainingWorker> make_dry_worker(Communicator& comm) = 0;
};

/// Loads data and builds what the experiment says, for `hosted_workers` workers of this process.
/// Throws InputError for what cannot be loaded or does not fit together.
std::unique_ptr<TrainingTask> make_network_task(const Experiment& experiment, int hosted_workers);

/// The same for an experiment on a problem that is not a network.
std::unique_ptr<TrainingTask> make_problem_task(const Experiment& experiment, int hosted_workers);

}  // namespace localbatch
