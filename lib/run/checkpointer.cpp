#include "run/checkpointer.h"

#include <array>
#include <vector>

#include "core/error.h"

namespace localbatch {

Checkpointer::Checkpointer(const CheckpointSchedule& schedule, const std::filesystem::path& folder,
                           const CheckpointFacts& facts, Progress& progress,
                           OuterOptimizer& outer_optimizer, TrainingWorker& worker,
                           RunRecorder& recorder, Communicator& comm)
    : schedule_(schedule),
      folder_(folder),
      facts_(facts),
      progress_(progress),
      outer_optimizer_(outer_optimizer),
      worker_(worker),
      recorder_(recorder),
      comm_(comm) {}

void Checkpointer::visit_common(StateVisitor& visitor) {
  visit_state(visitor, progress_);
  visitor.visit("parameters", worker_.parameters());
  visitor.visit("outer_optimizer", outer_optimizer_.state());
  recorder_.visit_state(visitor);
}

void Checkpointer::visit_own(StateVisitor& visitor) {
  visit_own_state(visitor, progress_);
  worker_.visit_state(visitor);
}

void Checkpointer::restore(const std::optional<Checkpoint>& checkpoint) {
  const Communicator::Bytes bytes = comm_.scatter([&](int worker) {
    Communicator::Bytes of_worker;
    if (!checkpoint) return of_worker;
    const auto own = checkpoint->workers[static_cast<std::size_t>(worker)];
    of_worker.assign(checkpoint->common.begin(), checkpoint->common.end());
    of_worker.insert(of_worker.end(), own.begin(), own.end());
    return of_worker;
  });
  if (bytes.empty()) return recorder_.begin();
  try {
    StateReader reader(bytes);
    visit_common(reader);
    visit_own(reader);
    reader.finish();
  } catch (const InputError& error) {
    // Its bytes are as they were written, so it is one of another program.
    fail_input("{}: cannot be used: {}", folder_.string(), error.what());
  }
  saved_round_ = progress_.round;
}

bool Checkpointer::is_due() const {
  if (comm_.worker() != 0) return false;
  const std::chrono::duration<double> since = Stopwatch::Clock::now() - saved_at_;
  const bool by_time = schedule_.every_seconds > 0 && since.count() >= schedule_.every_seconds;
  const bool by_rounds =
      schedule_.every_rounds > 0 && progress_.round + 1 >= saved_round_ + schedule_.every_rounds;
  return by_time || by_rounds;
}

void Checkpointer::save() {
  recorder_.add_up_communication();
  StateWriter own_writer;
  visit_own(own_writer);
  const std::vector<std::byte> own = own_writer.take();
  std::optional<CheckpointWriter> writer;
  if (comm_.worker() == 0) {
    recorder_.sync_files();
    StateWriter common_writer;
    visit_common(common_writer);
    const std::vector<std::byte> common = common_writer.take();
    std::vector<std::size_t> sizes(static_cast<std::size_t>(comm_.num_workers()), own.size());
    sizes.push_back(common.size());
    facts_.round = progress_.round;
    writer.emplace(folder_, facts_, checkpoint_size(sizes));
    writer->section(common);
  }
  comm_.gather(own, [&](int, std::span<const std::byte> bytes) { writer->section(bytes); });
  if (writer) writer->finish();
  saved_at_ = Stopwatch::Clock::now();
  saved_round_ = progress_.round;
}

}  // namespace localbatch
