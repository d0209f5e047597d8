#include "run/checkpointer.h"

#include <fmt/core.h>

#include <vector>

#include "comm/communicator.h"
#include "core/error.h"
#include "core/machine.h"
#include "core/state.h"
#include "core/stopwatch.h"
#include "nn/execution.h"

namespace localbatch {

std::string program_identity() {
  const BuildInfo build = build_info();
  return fmt::format("localbatch {} ({}), {}, oneDNN {}, {}", build.version, build.commit,
                     build.compiler, onednn_version(), onednn_instruction_set());
}

Checkpointer::Checkpointer(const CheckpointSchedule& schedule, const std::filesystem::path& folder,
                           const CheckpointFacts& facts, SavedState& state, Communicator& comm)
    : schedule_(schedule), folder_(folder), facts_(facts), state_(state), comm_(comm) {}

bool Checkpointer::restore(const std::optional<Checkpoint>& checkpoint) {
  if (checkpoint) saved_round_ = checkpoint->facts.round;
  const Communicator::Bytes bytes = comm_.scatter([&](int worker) {
    Communicator::Bytes of_worker;
    if (!checkpoint) return of_worker;
    const auto own = checkpoint->workers[static_cast<std::size_t>(worker)];
    of_worker.assign(checkpoint->common.begin(), checkpoint->common.end());
    of_worker.insert(of_worker.end(), own.begin(), own.end());
    return of_worker;
  });
  if (bytes.empty()) return false;
  try {
    StateReader reader(bytes);
    state_.visit_common(reader);
    state_.visit_own(reader);
    reader.finish();
  } catch (const InputError& error) {
    // Checksums match, so the file is intact but written by an incompatible version.
    fail_input("{}: cannot be used: {}", folder_.string(), error.what());
  }
  return true;
}

bool Checkpointer::is_due(std::int64_t round) const {
  if (comm_.worker() != 0) return false;
  const double since = monotonic_seconds() - saved_at_;
  const bool by_time = schedule_.every_seconds > 0 && since >= schedule_.every_seconds;
  const bool by_rounds =
      schedule_.every_rounds > 0 && round >= saved_round_ + schedule_.every_rounds;
  return by_time || by_rounds;
}

void Checkpointer::save(std::int64_t round) {
  facts_.round = round;
  StateWriter own;
  state_.visit_own(own);
  std::optional<CheckpointWriter> writer;
  if (comm_.worker() == 0) {
    writer.emplace(folder_, facts_, file_size());
    StateWriter common;
    state_.visit_common(common);
    writer->section(common.take());
  }
  comm_.gather(own.take(), [&](int, std::span<const std::byte> bytes) { writer->section(bytes); });
  if (writer) writer->finish();
  saved_at_ = monotonic_seconds();
  saved_round_ = round;
}

std::size_t Checkpointer::file_size() const {
  StateSize common, own;
  state_.visit_common(common);
  state_.visit_own(own);
  return checkpoint_file_size(facts_, common.bytes(), own.bytes(), comm_.num_workers());
}

}  // namespace localbatch
