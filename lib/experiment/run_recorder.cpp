#include "experiment/run_recorder.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "train/round_statistics.h"

namespace localbatch {

namespace {

double seconds_since(Stopwatch::Clock::time_point start) {
  return std::chrono::duration<double>(Stopwatch::Clock::now() - start).count();
}

/// See the column method_bytes.
std::int64_t method_bytes(const LocalSgd& method, TrainingWorker& worker, bool tested) {
  std::size_t arrays = 1;
  if (tested && method.statistics.chunks == Chunks::kWorkers)
    arrays += method.controller->needs().coordinates ? 2 : 1;
  std::size_t values = worker.parameters().size() * arrays;
  std::vector<Averaged> state;
  worker.add_averaged_state(state);
  for (const Averaged& array : state) values += array.mine.size();
  return static_cast<std::int64_t>(values * sizeof(float));
}

}  // namespace

struct RunRecorder::Files {
  Files(const std::filesystem::path& folder, const Experiment& experiment)
      : rounds(folder / "rounds.csv", round_columns()),
        evaluations(folder / "evaluations.csv", evaluation_columns()),
        timing(folder / "timing.csv", timing_columns()) {
    if (!experiment.shadow_controllers.empty())
      controllers.emplace(folder / "controllers.csv", controller_columns());
    if (experiment.method.audit.every_rounds > 0)
      audits.emplace(folder / "audits.csv", audit_columns());
  }

  CsvTable<RoundRow> rounds;
  CsvTable<EvaluationRow> evaluations;
  CsvTable<TimingRow> timing;
  std::optional<CsvTable<ControllerRow>> controllers;
  std::optional<CsvTable<AuditRow>> audits;
};

RunRecorder::RunRecorder(const Experiment& experiment, const std::filesystem::path& folder,
                         TrainingWorker& worker, TimedCommunicator& comm,
                         std::int64_t epoch_samples, const RunEvents& events)
    : experiment_(experiment),
      folder_(folder),
      worker_(worker),
      comm_(comm),
      epoch_samples_(epoch_samples),
      events_(events),
      evaluation_interval_(experiment.evaluate_every_samples > 0 ? experiment.evaluate_every_samples
                                                                 : epoch_samples),
      next_evaluation_(evaluation_interval_) {
  if (comm.worker() == 0) files_ = std::make_unique<Files>(folder, experiment);
  result_.first_local_batch_size = experiment.method.initial_local_batch_size;
}

RunRecorder::~RunRecorder() = default;

void RunRecorder::observe(const RoundRecord& round) {
  const std::int64_t samples = round.samples - result_.samples;
  loss_since_evaluation_ += round.loss * static_cast<double>(samples);
  result_.rounds = round.round;
  result_.samples = round.samples;
  result_.last_local_batch_size = round.decision.next;
  if (files_ != nullptr) {
    files_->rounds.write(
        {.record = round,
         .epoch = epoch(round.samples),
         .workers = comm_.num_workers(),
         .method_bytes = method_bytes(experiment_.method, worker_, round.statistics.has_value())});
    if (files_->controllers) ask_shadow_controllers(round);
    if (round.audit) files_->audits->write({.record = round, .audit = *round.audit});
    events_.on_round(progress(round));
  }
  const double evaluated = evaluating_.seconds();
  if (evaluation_due(round)) evaluate(round);
  if (files_ != nullptr) write_timing(round.round, evaluating_.seconds() - evaluated);
}

void RunRecorder::ask_shadow_controllers(const RoundRecord& round) {
  const LocalSgd& method = experiment_.method;
  std::size_t number = 0;
  for (const ShadowController& shadow : experiment_.shadow_controllers) {
    const Wish wish =
        wish_of(*shadow.controller, round, method.initial_local_batch_size, round.observed);
    files_->controllers->write(
        {.record = round,
         .controller = ++number,
         .settings = shadow.settings,
         .wish = wish,
         .decision = apply_limits(method.limits, round.local_batch_size, wish)});
  }
}

double RunRecorder::epoch(std::int64_t samples) const {
  return static_cast<double>(samples) / static_cast<double>(epoch_samples_);
}

bool RunRecorder::evaluation_due(const RoundRecord& round) const {
  if (!std::isfinite(round.loss) || !std::isfinite(round.drift)) return false;
  return round.samples >= next_evaluation_ || round.samples >= experiment_.method.max_samples;
}

void RunRecorder::evaluate(const RoundRecord& round) {
  const RunProgress before = progress(round);
  TestResult test;
  {
    const Stopwatch::Scope timed(evaluating_);
    test = worker_.evaluate(comm_);
  }
  next_evaluation_ = (round.samples / evaluation_interval_ + 1) * evaluation_interval_;
  const EvaluationRow row{.round = round.round,
                          .samples = round.samples,
                          .epoch = epoch(round.samples),
                          .train_loss = loss_since_evaluation_ /
                                        static_cast<double>(round.samples - samples_at_evaluation_),
                          .test = test,
                          .local_batch_size = round.local_batch_size,
                          .sync_interval = round.local_steps};
  result_.last_evaluation = row;
  loss_since_evaluation_ = 0;
  samples_at_evaluation_ = round.samples;
  if (files_ == nullptr) return;
  files_->evaluations.write(row);
  events_.on_evaluation(before, row);
  training_seconds_at_evaluation_ = before.training_seconds;
}

void RunRecorder::write_timing(std::int64_t round, double evaluation_seconds) {
  const WorkerSeconds& worker = worker_.seconds();
  const TimingRow now{.round = round,
                      .total = seconds_since(started_),
                      .slot = worker.slot.seconds(),
                      .data = worker.data.seconds(),
                      .gradient = worker.gradient.seconds(),
                      .optimizer = worker.optimizer.seconds(),
                      .communication = comm_.seconds(),
                      .evaluation = evaluation_seconds,
                      .forward = worker.forward,
                      .backward = worker.backward,
                      .statistics = worker.statistics.seconds()};
  files_->timing.write({.round = round,
                        .total = now.total - before_.total,
                        .slot = now.slot - before_.slot,
                        .data = now.data - before_.data,
                        .gradient = now.gradient - before_.gradient,
                        .optimizer = now.optimizer - before_.optimizer,
                        .communication = now.communication - before_.communication,
                        .evaluation = evaluation_seconds,
                        .forward = now.forward - before_.forward,
                        .backward = now.backward - before_.backward,
                        .statistics = now.statistics - before_.statistics});
  before_ = now;
}

RunProgress RunRecorder::progress(const RoundRecord& round) const {
  const double seconds = seconds_since(started_);
  const double training = seconds - evaluating_.seconds();
  const double since = training - training_seconds_at_evaluation_;
  const auto samples = static_cast<double>(round.samples - samples_at_evaluation_);
  return {.samples = round.samples,
          .max_samples = experiment_.method.max_samples,
          .local_batch_size = round.local_batch_size,
          .loss = round.loss,
          .seconds = seconds,
          .training_seconds = training,
          .samples_per_second = since > 0 ? samples / since : 0};
}

RunResult RunRecorder::result(Outcome outcome) const {
  RunResult result = result_;
  result.outcome = outcome;
  result.folder = folder_;
  result.seconds = seconds_since(started_);
  return result;
}

}  // namespace localbatch
