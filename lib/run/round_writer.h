#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "comm/communicator.h"
#include "core/stopwatch.h"
#include "run/run_experiment.h"
#include "train/averaged_weights.h"
#include "train/round.h"
#include "train/worker.h"

namespace localbatch {

/// When the averaged model is evaluated: after each round that reaches another multiple of
/// `interval` samples, and after the last one.
struct EvaluationSchedule {
  std::int64_t interval = 1;
  std::int64_t max_samples = 0;
  std::int64_t next = interval;

  bool due(std::int64_t samples) const { return samples >= next || samples >= max_samples; }
  void pass(std::int64_t samples) { next = (samples / interval + 1) * interval; }
};

/// `every_samples` as an experiment has it, 0: once per epoch.
inline EvaluationSchedule evaluation_schedule(std::int64_t every_samples,
                                              std::int64_t epoch_samples,
                                              std::int64_t max_samples) {
  return {.interval = every_samples > 0 ? every_samples : epoch_samples,
          .max_samples = max_samples};
}

struct Experiment;
struct WorkerRunSetup;

/// Watches the rounds of one worker: evaluates the averaged model when it is due, together with the
/// other workers, and, on worker 0, writes the CSV files of the run and tells the events.
class RoundWriter {
 public:
  /// What it refers to must outlive it.
  RoundWriter(const WorkerRunSetup& setup, TrainingWorker& worker, TimedCommunicator& comm);
  ~RoundWriter();

  /// Makes the files of a run that begins. A run that goes on has its state visited instead.
  void begin();

  void observe(const RoundRecord& round);

  /// All that later rows and figures depend on, sizes and checksums of the files included: when it
  /// is read, they are cut back to these. Throws an InputError for a file that somebody has
  /// changed.
  void visit_state(StateVisitor& visitor);

  /// Finds out what all processes have sent in all stretches of the run: for the result, and for a
  /// checkpoint that is about to be written. Collective.
  void add_up_communication();

  /// To be called before a checkpoint that counts on them. Worker 0 only.
  void sync_files();

  /// The figures of the run, on worker 0.
  RunResult result(Outcome outcome) const;

 private:
  struct Files;

  void ask_shadow_controllers(const RoundRecord& round);
  double epoch(std::int64_t samples) const;
  double seconds() const;
  void evaluate(const RoundRecord& round);
  std::optional<SetResult> evaluate_averaged_weights();
  void write_timing(std::int64_t round, std::int64_t samples, double evaluation_seconds);
  RunProgress progress(const RoundRecord& round) const;

  const Experiment& experiment_;
  std::filesystem::path folder_;
  TrainingWorker& worker_;
  TimedCommunicator& comm_;
  std::int64_t epoch_samples_;
  const RunEvents& events_;
  std::unique_ptr<Files> files_;  ///< worker 0 only
  std::optional<AveragedWeights> averaged_weights_;
  RunResult result_;

  double seconds_before_ = 0;        ///< of the stretches of the run before this one
  std::int64_t samples_before_ = 0;  ///< likewise
  Ledger communication_before_;      ///< likewise
  double started_ = monotonic_seconds();
  Stopwatch evaluating_;
  TimingRow before_;  ///< totals at the end of the round before
  EvaluationSchedule evaluations_;
  std::int64_t samples_at_evaluation_ = 0;
  double training_seconds_at_evaluation_ = 0;
  double loss_since_evaluation_ = 0;  ///< weighted by samples
};

}  // namespace localbatch
