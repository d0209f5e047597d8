#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiment/experiment.h"
#include "plan/forecast.h"
#include "plan/interconnect.h"
#include "plan/measured_run.h"

namespace localbatch {

/// A run with what all its replays on the same hosts share.
struct Recording {
  std::string folder;     ///< as messages call it
  Experiment experiment;  ///< with the workers that the replays have
  int recorded_workers = 1;
  RecordedRun run;
  CostModel model;
};

/// Reads the folder of a run. `placement` tells where so many workers are. With `workers` others
/// take its rounds, as many of them, each with the local batches and H of the recorded ones. What
/// this machine's CPU lacks is no mistake. Throws an InputError.
Recording read_recording(const std::filesystem::path& folder,
                         const std::function<Placement(int workers)>& placement, int cores_of_host,
                         std::optional<int> workers = {});

/// A recorded round on another machine.
struct ReplayedRound {
  RecordedRound recorded;
  RunCost cost;            ///< its evaluation included
  double end_seconds = 0;  ///< since the run began
};

/// A recorded trajectory of local batches and H on ranks that are somewhere else: predicted
/// seconds, by the model of `localbatch plan`. Seconds of rounds are added up, each with the
/// busiest link of its own, so they are at least those of the sums.
struct Replay {
  std::string folder, experiment;
  int workers = 1, ranks = 1, hosts = 1;
  std::vector<ReplayedRound> rounds;
  RunCost total;  ///< with what is sent before the first round and behind the last one

  double average_local_batch_size() const {
    return static_cast<double>(total.count.worker_samples) /
           static_cast<double>(total.count.local_steps);
  }
};

/// Whether a prediction may go as far beyond what was measured as it has to.
enum class Extrapolate { kWithinReach, kAnyhow };

/// Walks the rounds of a run; who looks at the gradients of a round follows from its settings. An
/// evaluation takes the speed of the largest local batch that was measured. Throws an InputError
/// for what is beyond reach: see check_reach(), and kReach times the largest or the smallest local
/// batch whose speed was measured.
Replay replay_run(const Recording& recording, const StepSeconds& speed,
                  const Interconnect& interconnect,
                  Extrapolate extrapolate = Extrapolate::kWithinReach);

/// A row for each round of each run, in the units that the names say.
std::string replays_csv(const std::vector<Replay>& runs);

/// The same as one JSON document, with the sums of each run. `speed` says where that comes from.
std::string replays_json(const std::vector<Replay>& runs, const Interconnect& interconnect,
                         const std::string& speed);

}  // namespace localbatch
