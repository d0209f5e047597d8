#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "comm/ledger.h"

namespace localbatch {

/// What a finished run took, from the files in its folder; seconds are those of worker 0.
struct MeasuredRun {
  std::int64_t rounds = 0, samples = 0;
  double compute_seconds = 0;  ///< data, gradient and update, and waiting for a free slot
  double communication_seconds = 0, waiting_seconds = 0, evaluation_seconds = 0;
  double seconds = 0;  ///< all rounds
  /// Samples per second of a worker that has a slot; nothing where it took no time to speak of.
  std::optional<double> speed;
  int ranks = 1;
  Ledger communication;  ///< of all ranks
};

/// Throws an InputError that names the file that is missing or cannot be used. With `resolved`, the
/// text of experiment.yaml, a run with other settings is refused.
MeasuredRun read_measured_run(const std::filesystem::path& folder,
                              const std::optional<std::string>& resolved = {});

/// The seconds of a worker's local step as a function of the local batch size.
class StepSeconds {
 public:
  /// So many samples per second, whatever the local batch.
  explicit StepSeconds(double samples_per_second) : given_(samples_per_second) {}
  /// Measured ones by local batch size, at least one; all are positive.
  explicit StepSeconds(std::map<int, double> seconds) : measured_(std::move(seconds)) {}

  /// Between two measured sizes the seconds are linear; beyond them a sample takes as long as in
  /// the local batch at that end.
  double samples_per_second(int local_batch_size) const;

  /// Of the largest local batch that was measured.
  double samples_per_second_of_largest() const;

  /// Measured ones; empty where the speed was given.
  const std::map<int, double>& measured() const { return measured_; }

 private:
  double given_ = 0;
  std::map<int, double> measured_;
};

/// A round as rounds.csv and evaluations.csv have it.
struct RecordedRound {
  std::int64_t round = 1, samples = 0;
  int local_steps = 1, local_batch_size = 1;
  bool evaluated = false;  ///< after it
};

/// What a run has done, in the order of its rounds.
struct RecordedRun {
  std::vector<RecordedRound> rounds;
  /// By timing.csv: data, gradient and update of worker 0, and its waiting for slower ones, as the
  /// mean over all local steps with that local batch. Nothing without the file, or where a local
  /// step took no time to speak of.
  std::optional<StepSeconds> speed;
};

/// Reads a run that may have ended or not, whose rounds are at least one. Throws an InputError that
/// names file and line.
RecordedRun read_recorded_run(const std::filesystem::path& folder);

}  // namespace localbatch
