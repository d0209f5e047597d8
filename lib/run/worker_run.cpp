#include "run/worker_run.h"

#include "comm/communicator.h"
#include "core/csv.h"
#include "core/state.h"
#include "experiment/experiment.h"
#include "run/checkpointer.h"
#include "run/round_writer.h"
#include "run/run_files.h"
#include "train/dry_run.h"
#include "train/local_sgd.h"
#include "train/meter.h"
#include "train/synchronizer.h"

namespace localbatch {

namespace {

/// What the loop of a worker works on beside the worker.
struct LoopState {
  LoopState(const Experiment& experiment, TrainingWorker& worker, TimedCommunicator& comm)
      : meter(experiment.method, comm),
        synchronizer(experiment.method, worker, experiment.make_outer_optimizer, comm),
        progress{.local_batch_size = experiment.method.initial_local_batch_size} {}

  Meter meter;
  Synchronizer synchronizer;
  Progress progress;
};

/// What happens around and between the rounds of a worker: curves and checkpoints.
class WorkerRun final : public RunObserver, public SavedState {
 public:
  WorkerRun(const WorkerRunSetup& setup, TrainingWorker& worker, LoopState& loop,
            TimedCommunicator& comm)
      : setup_(setup),
        comm_(comm),
        worker_(worker),
        loop_(loop),
        writer_(setup, worker, comm),
        checkpoints_(setup.schedule, setup.folder, setup.facts, *this, comm) {}

  void begin(const std::optional<Checkpoint>& checkpoint) {
    if (!checkpoints_.restore(checkpoint)) return writer_.begin();
    if (comm_.worker() == 0) keep_what_was_not_kept();
  }

  RunResult finish(Outcome outcome) {
    const bool has_ended = outcome != Outcome::kStopped;
    const FinalModel model = has_ended ? worker_.final_model(comm_) : FinalModel();
    if (has_ended) writer_.add_up_communication();
    RunResult result = writer_.result(outcome);
    if (comm_.worker() != 0 || !has_ended) return result;
    write_final_model(setup_.folder, model);
    write_summary(setup_.folder, setup_.experiment, result);
    remove_checkpoints(setup_.folder);
    return result;
  }

  std::size_t checkpoint_bytes() const { return checkpoints_.file_size(); }

  Request request() override {
    kept_as_ = to_be_kept();
    return {.save = !kept_as_.empty() || checkpoints_.is_due(loop_.progress.round + 1),
            .stop = speaks_for_rank() && setup_.stop_requested()};
  }

  void on_round(const RoundRecord& round) override {
    writer_.observe(round);
    if (speaks_for_rank())
      for (const std::string& warning : setup_.take_warnings()) setup_.events.on_warning(warning);
    // A diverged run has ended: there is nothing to go on from.
    if (round.request.save && round.finite()) save();
    if (round.finite() && comm_.worker() == 0)
      for (const std::int64_t samples : kept_as_)
        keep_checkpoint(setup_.folder, round.round, samples);
  }

  void visit_common(StateVisitor& visitor) override {
    visit_state(visitor, loop_.progress);
    loop_.meter.visit_state(visitor);
    loop_.synchronizer.visit_common_state(visitor);
    writer_.visit_state(visitor);
  }

  void visit_own(StateVisitor& visitor) override {
    loop_.synchronizer.visit_own_state(visitor);
    worker_.visit_state(visitor);
  }

 private:
  /// The samples that the experiment names and the round under way is the first to reach.
  std::vector<std::int64_t> to_be_kept() const {
    if (setup_.experiment.kept_checkpoints.empty()) return {};
    return reached(loop_.progress.samples, setup_.experiment.method.plan(loop_.progress).samples);
  }

  std::vector<std::int64_t> reached(std::int64_t before, std::int64_t after) const {
    std::vector<std::int64_t> points;
    for (const std::int64_t samples : setup_.experiment.kept_checkpoints)
      if (before < samples && samples <= after) points.push_back(samples);
    return points;
  }

  /// A run may end between a checkpoint and its copy, and no later round is the first to reach its
  /// samples.
  void keep_what_was_not_kept() const {
    if (setup_.experiment.kept_checkpoints.empty()) return;
    const std::vector<double> samples =
        CsvColumns(setup_.folder / "rounds.csv").positions("samples");
    const double before = samples.size() > 1 ? samples[samples.size() - 2] : 0;
    for (const std::int64_t point :
         reached(static_cast<std::int64_t>(before), loop_.progress.samples))
      if (!is_kept(setup_.folder, point))
        keep_checkpoint(setup_.folder, loop_.progress.round, point);
  }

  bool speaks_for_rank() const { return comm_.worker() == setup_.first_hosted; }

  void save() {
    writer_.add_up_communication();
    if (comm_.worker() == 0) writer_.sync_files();
    checkpoints_.save(loop_.progress.round);
  }

  const WorkerRunSetup& setup_;
  TimedCommunicator& comm_;
  TrainingWorker& worker_;
  LoopState& loop_;
  RoundWriter writer_;
  Checkpointer checkpoints_;
  std::vector<std::int64_t> kept_as_;  ///< the names under which this round's checkpoint is kept
};

}  // namespace

RunResult train_worker(const WorkerRunSetup& setup, const MakeWorker& make_worker,
                       const std::optional<Checkpoint>& checkpoint, TimedCommunicator& comm) {
  const std::unique_ptr<TrainingWorker> worker = make_worker(comm);
  LoopState loop(setup.experiment, *worker, comm);
  WorkerRun run(setup, *worker, loop, comm);
  run.begin(checkpoint);
  return run.finish(local_sgd(setup.experiment.method, *worker, loop.meter, loop.synchronizer,
                              loop.progress, run));
}

std::size_t checkpoint_bytes(const WorkerRunSetup& setup, const MakeWorker& make_worker) {
  DryCommunicator nobody(setup.experiment.workers);
  TimedCommunicator comm(nobody);
  const std::unique_ptr<TrainingWorker> worker = make_worker(comm);
  LoopState loop(setup.experiment, *worker, comm);
  return WorkerRun(setup, *worker, loop, comm).checkpoint_bytes();
}

}  // namespace localbatch
