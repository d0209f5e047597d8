#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "comm/ledger.h"
#include "comm/process_group.h"
#include "nn/execution.h"
#include "run/checkpoints.h"
#include "run/columns.h"
#include "train/local_sgd.h"
#include "train/task.h"

namespace localbatch {

/// An experiment file with the options of the command line.
struct RunRequest {
  std::filesystem::path file;
  std::vector<std::string> settings;  ///< of --set
  std::optional<int> cell = {};       ///< of the file's sweep, the first one is 1
  std::filesystem::path output;
  bool force = false;
  std::vector<std::string> command_line = {};  ///< for the manifest
  /// False: one of several processes runs alone, and whoever started it knows that.
  bool checks_launch = true;

  /// Whether the CPU of the run supports bf16. Commands that only read results pass true.
  bool cpu_has_bfloat16 = supports_bfloat16();

  bool resume = false;                        ///< a run that has finished is no mistake
  std::filesystem::path resumed_folder = {};  ///< to be used in place of the one that settings name
  CheckpointSchedule checkpoints = {};
  bool dry_run = false;  ///< nothing may be written, not even to find out whether that works

  /// Asked after every round, on every rank: whether the run is to stop behind a checkpoint.
  std::function<bool()> stop_requested = [] { return false; };
};

/// The facts of a run when everything is built and before the first local step.
struct RunStart {
  std::string experiment;
  std::filesystem::path folder;
  int workers = 1, ranks = 1, threads_per_worker = 1;
  int slots = 1;  ///< workers of this rank that compute at the same time
  int cores = 1;  ///< on which this rank computes
  TaskFacts task = {};
  std::uint64_t data = 0;  ///< checksum of the data
  std::int64_t max_samples = 0;
  std::int64_t resumed_round = 0;  ///< 0: it begins
};

/// The progress of a run, for an observer.
struct RunProgress {
  std::int64_t round = 0, samples = 0, max_samples = 0;
  int local_batch_size = 0, sync_interval = 0;  ///< of that round
  double loss = 0;
  double seconds = 0;             ///< since the first local step of this start
  double training_seconds = 0;    ///< the same without evaluations
  double samples_per_second = 0;  ///< of training, since the last evaluation or the restart
  double seconds_left = 0;        ///< at the pace since the first local step, evaluations included
  int tokens_per_sample = 0;      ///< 0: samples are no texts
};

/// Called on worker 0's thread. The library itself never prints.
struct RunEvents {
  std::function<void(const RunStart&)> on_start = [](const RunStart&) {};
  std::function<void(const RunProgress&)> on_round = [](const RunProgress&) {};
  std::function<void(const RunProgress&, const EvaluationRow&)> on_evaluation =
      [](const RunProgress&, const EvaluationRow&) {};

  /// The first failure of this rank's workers during training, on the thread that failed, while
  /// others may still compute, or hang.
  std::function<void(std::exception_ptr)> on_failure = {};
  /// Before anything is written, on rank 0: a run that would be slow or hard to repeat. During
  /// training, on a worker's thread of any rank: damaged files that this rank has skipped.
  std::function<void(const std::string&)> on_warning = [](const std::string&) {};
};

struct RunResult {
  Outcome outcome = Outcome::kFinished;
  bool had_finished = false;  ///< before this start; there are no figures
  std::filesystem::path folder;
  std::int64_t rounds = 0, samples = 0;
  int first_local_batch_size = 0, last_local_batch_size = 0;
  double seconds = 0;
  int tokens_per_sample = 0;      ///< 0: samples are no texts
  EvaluationRow last_evaluation;  ///< round 0: there was none
  Ledger communication;           ///< of all ranks
};

/// Reads the experiment, checks and builds everything, agrees with the other ranks that all is
/// well (see agree()), and only then writes and trains; where the folder holds an unfinished run of
/// the same settings, that one goes on from its newest checkpoint. Throws InputError before
/// anything is written; what is thrown after `training_begins` was called is known to this rank
/// only. The result has its figures on rank 0 only; the outcome is the same on all.
RunResult run_experiment(const RunRequest& request, ProcessGroup& processes,
                         const RunEvents& events, const std::function<void()>& training_begins);

}  // namespace localbatch
