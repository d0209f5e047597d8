#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "comm/communicator.h"
#include "core/state.h"
#include "core/stopwatch.h"
#include "optim/outer_optimizer.h"
#include "run/checkpoints.h"
#include "run/round_writer.h"
#include "train/progress.h"
#include "train/worker.h"

namespace localbatch {

/// All that a worker's next round depends on, and how it gets into a checkpoint and back.
class Checkpointer {
 public:
  Checkpointer(const CheckpointSchedule& schedule, const std::filesystem::path& folder,
               const CheckpointFacts& facts, Progress& progress, OuterOptimizer& outer_optimizer,
               TrainingWorker& worker, RunRecorder& recorder, Communicator& comm);

  /// Goes on from a checkpoint, or begins. `checkpoint` matters on worker 0 only. Collective.
  void restore(const std::optional<Checkpoint>& checkpoint);

  /// Whether a checkpoint is due after the round under way. Worker 0 decides.
  bool is_due() const;

  /// Collective.
  void save();

 private:
  void visit_common(StateVisitor& visitor);
  void visit_own(StateVisitor& visitor);

  CheckpointSchedule schedule_;
  std::filesystem::path folder_;
  CheckpointFacts facts_;
  Progress& progress_;
  OuterOptimizer& outer_optimizer_;
  TrainingWorker& worker_;
  RunRecorder& recorder_;
  Communicator& comm_;
  Stopwatch::Clock::time_point saved_at_ = Stopwatch::Clock::now();
  std::int64_t saved_round_ = 0;
};

}  // namespace localbatch
