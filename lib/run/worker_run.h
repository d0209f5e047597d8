#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "run/checkpoints.h"

namespace localbatch {

class Communicator;
class TimedCommunicator;
class TrainingWorker;
struct Experiment;
struct RunEvents;
struct RunResult;

/// What the workers of a rank need for their parts in a run.
struct WorkerRunSetup {
  const Experiment& experiment;
  std::filesystem::path folder;
  std::int64_t epoch_samples = 1;
  int tokens_per_sample = 0;  ///< 0: samples are no texts
  CheckpointFacts facts;
  CheckpointSchedule schedule;
  const RunEvents& events;

  // The first worker of a rank asks for the whole rank.
  int first_hosted = 0;
  std::function<bool()> stop_requested = [] { return false; };
  std::function<std::vector<std::string>()> take_warnings = [] {
    return std::vector<std::string>();
  };
};

using MakeWorker = std::function<std::unique_ptr<TrainingWorker>(Communicator&)>;

/// One worker's part in a run: goes on from the checkpoint or begins, trains, and writes down what
/// it comes to. `checkpoint` matters on worker 0 only, and figures of the result are there only;
/// the outcome is the same on all workers. Collective.
RunResult train_worker(const WorkerRunSetup& setup, const MakeWorker& make_worker,
                       const std::optional<Checkpoint>& checkpoint, TimedCommunicator& comm);

/// Bytes of a checkpoint of such a run. `make_worker` may give a worker for dry runs.
std::size_t checkpoint_bytes(const WorkerRunSetup& setup, const MakeWorker& make_worker);

}  // namespace localbatch
