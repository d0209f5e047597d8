#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/stopwatch.h"
#include "run/checkpoints.h"

namespace localbatch {

class Communicator;
class StateVisitor;

/// All that a worker's next round depends on.
class SavedState {
 public:
  virtual ~SavedState() = default;

  /// What is equal on all workers: a checkpoint has it once.
  virtual void visit_common(StateVisitor& visitor) = 0;
  /// What is this worker's own.
  virtual void visit_own(StateVisitor& visitor) = 0;
};

/// This program as a checkpoint names it: what the bytes of a run depend on beside its settings and
/// data.
std::string program_identity();

/// How a worker's state gets into checkpoints and back.
class Checkpointer {
 public:
  Checkpointer(const CheckpointSchedule& schedule, const std::filesystem::path& folder,
               const CheckpointFacts& facts, SavedState& state, Communicator& comm);

  /// Reads the state from a checkpoint; false: there is none. `checkpoint` matters on worker 0
  /// only. Collective.
  bool restore(const std::optional<Checkpoint>& checkpoint);

  /// Whether a checkpoint is due after a round. Worker 0 decides.
  bool is_due(std::int64_t round) const;

  /// Collective.
  void save(std::int64_t round);

  /// Bytes of the file that save() writes.
  std::size_t file_size() const;

 private:
  CheckpointSchedule schedule_;
  std::filesystem::path folder_;
  CheckpointFacts facts_;
  SavedState& state_;
  Communicator& comm_;
  double saved_at_ = monotonic_seconds();
  std::int64_t saved_round_ = 0;
};

}  // namespace localbatch
