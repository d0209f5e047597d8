#include "run/round_writer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <type_traits>
#include <vector>

#include "core/state.h"
#include "core/stopwatch.h"
#include "experiment/experiment.h"
#include "run/worker_run.h"

namespace localbatch {

namespace {

constexpr std::size_t kMostFiles = 5;

/// In as many bytes without a value as with one, so that all checkpoints of a run are of one size.
template <class T>
void visit_optional(StateVisitor& visitor, std::string_view name, std::optional<T>& value) {
  bool is_there = value.has_value();
  T number = value.value_or(T());
  visitor.visit(name, is_there);
  visitor.visit(name, number);
  value = is_there ? std::optional<T>(number) : std::nullopt;
}

void visit_gap(StateVisitor& visitor, ObjectiveGap& gap) {
  auto& [suboptimality, squared_gradient_norm, squared_distance, mean_suboptimality,
         mean_squared_gradient_norm] = gap;
  visitor.visit("gap.suboptimality", suboptimality);
  visitor.visit("gap.squared_gradient_norm", squared_gradient_norm);
  visit_optional(visitor, "gap.squared_distance", squared_distance);
  visit_optional(visitor, "gap.mean_suboptimality", mean_suboptimality);
  visit_optional(visitor, "gap.mean_squared_gradient_norm", mean_squared_gradient_norm);
}

void visit_result(StateVisitor& visitor, const std::string& name, std::optional<SetResult>& found) {
  bool is_there = found.has_value();
  SetResult result = found.value_or(SetResult());
  auto& [loss, correct, targets] = result;
  visitor.visit(name, is_there);
  visitor.visit(name + ".loss", loss);
  visitor.visit(name + ".correct", correct);
  visitor.visit(name + ".targets", targets);
  found = is_there ? std::optional(result) : std::nullopt;
}

void visit_evaluation(StateVisitor& visitor, EvaluationRow& row) {
  auto& [round, samples, epoch, train_loss, test, local_batch_size, sync_interval, averaged] = row;
  auto& [loss, correct, images, tokens, bytes_per_token, gap, of_held_out] = test;
  visitor.visit("evaluation.round", round);
  visitor.visit("evaluation.samples", samples);
  visitor.visit("evaluation.epoch", epoch);
  visitor.visit("evaluation.train_loss", train_loss);
  visitor.visit("evaluation.loss", loss);
  visit_optional(visitor, "evaluation.correct", correct);
  visit_optional(visitor, "evaluation.images", images);
  visit_optional(visitor, "evaluation.tokens", tokens);
  visit_optional(visitor, "evaluation.bytes_per_token", bytes_per_token);
  bool has_gap = gap.has_value();
  ObjectiveGap number = gap.value_or(ObjectiveGap());
  visitor.visit("evaluation.has_gap", has_gap);
  visit_gap(visitor, number);
  gap = has_gap ? std::optional(number) : std::nullopt;
  visitor.visit("evaluation.local_batch_size", local_batch_size);
  visitor.visit("evaluation.sync_interval", sync_interval);
}

/// See the column method_bytes.
std::int64_t method_bytes(const LocalSgd& method, TrainingWorker& worker, bool tested) {
  std::size_t arrays = 1;
  if (tested && method.statistics.averages_gradients())
    arrays += method.controller->needs().coordinates ? 2 : 1;
  const std::size_t parameters = worker.parameters().size();
  std::size_t bytes =
      method.format.bytes_sent(parameters) + (arrays - 1) * parameters * sizeof(float);
  std::vector<Averaged> state;
  worker.add_averaged_state(state);
  for (const Averaged& array : state) bytes += array.mine.size() * sizeof(float);
  return static_cast<std::int64_t>(bytes);
}

}  // namespace

struct RoundWriter::Files {
  /// What was written before in the order of all(), empty for new files.
  Files(const std::filesystem::path& folder, const Experiment& experiment,
        std::span<const CsvBeginning> before) {
    // All are looked at before one is cut off, so that a refusal leaves all as they were.
    std::size_t next = 0;
    if (!before.empty())
      for_each(experiment, [&](auto& table, const char* name, const auto& columns) {
        std::remove_reference_t<decltype(*table)>::check(folder / name, columns, before[next++]);
      });
    next = 0;
    for_each(experiment, [&](auto& table, const char* name, const auto& columns) {
      const auto written = before.empty() ? std::nullopt : std::optional(before[next++]);
      table.emplace(folder / name, columns, written);
    });
  }

  void for_each(const Experiment& experiment, const auto& visit) {
    visit(rounds, "rounds.csv", round_columns());
    visit(evaluations, "evaluations.csv", evaluation_columns());
    visit(timing, "timing.csv", timing_columns());
    if (!experiment.shadow_controllers.empty())
      visit(controllers, "controllers.csv", controller_columns());
    if (experiment.method.audit.every_rounds > 0) visit(audits, "audits.csv", audit_columns());
  }

  std::vector<CsvFile*> all() {
    std::vector<CsvFile*> files{&rounds->file(), &evaluations->file(), &timing->file()};
    if (controllers) files.push_back(&controllers->file());
    if (audits) files.push_back(&audits->file());
    return files;
  }

  std::optional<CsvTable<RoundRow>> rounds;
  std::optional<CsvTable<EvaluationRow>> evaluations;
  std::optional<CsvTable<TimingRow>> timing;
  std::optional<CsvTable<ControllerRow>> controllers;
  std::optional<CsvTable<AuditRow>> audits;
};

RoundWriter::RoundWriter(const WorkerRunSetup& setup, TrainingWorker& worker,
                         TimedCommunicator& comm)
    : experiment_(setup.experiment),
      folder_(setup.folder),
      worker_(worker),
      comm_(comm),
      epoch_samples_(setup.epoch_samples),
      events_(setup.events),
      evaluations_(evaluation_schedule(experiment_.evaluate_every_samples, epoch_samples_,
                                       experiment_.method.max_samples)) {
  result_.first_local_batch_size = experiment_.method.initial_local_batch_size;
  result_.tokens_per_sample = setup.tokens_per_sample;
  if (experiment_.averaged_over > 0)
    averaged_weights_.emplace(static_cast<double>(experiment_.averaged_over),
                              worker.parameters().size());
}

RoundWriter::~RoundWriter() = default;

void RoundWriter::observe(const RoundRecord& round) {
  const std::int64_t samples = round.samples - result_.samples;
  // Fused by name: whether a compiler fuses a product and a sum by itself depends on its flags.
  loss_since_evaluation_ =
      std::fma(round.loss, static_cast<double>(samples), loss_since_evaluation_);
  result_.rounds = round.round;
  result_.samples = round.samples;
  result_.last_local_batch_size = round.local_batch_size;
  if (files_ != nullptr) {
    files_->rounds->write(
        {.record = round,
         .epoch = epoch(round.samples),
         .workers = comm_.num_workers(),
         .method_bytes = method_bytes(experiment_.method, worker_, round.statistics.has_value())});
    if (files_->controllers) ask_shadow_controllers(round);
    if (round.audit) files_->audits->write({.record = round, .audit = *round.audit});
    events_.on_round(progress(round));
  }
  if (averaged_weights_) averaged_weights_->add(worker_.parameters(), samples);
  const double evaluated = evaluating_.seconds();
  if (round.finite() && evaluations_.due(round.samples)) evaluate(round);
  if (files_ != nullptr) write_timing(round.round, samples, evaluating_.seconds() - evaluated);
}

void RoundWriter::begin() {
  if (comm_.worker() == 0)
    files_ = std::make_unique<Files>(folder_, experiment_, std::span<const CsvBeginning>());
}

void RoundWriter::visit_state(StateVisitor& visitor) {
  visitor.visit("rounds", result_.rounds);
  visitor.visit("samples", result_.samples);
  visitor.visit("last_local_batch_size", result_.last_local_batch_size);
  visit_evaluation(visitor, result_.last_evaluation);
  if (experiment_.task->has_validation())
    visit_result(visitor, "validation", result_.last_evaluation.test.validation);
  if (averaged_weights_) {
    averaged_weights_->visit_state(visitor);
    visit_result(visitor, "averaged", result_.last_evaluation.averaged);
  }
  visitor.visit("next_evaluation", evaluations_.next);
  visitor.visit("samples_at_evaluation", samples_at_evaluation_);
  visitor.visit("loss_since_evaluation", loss_since_evaluation_);
  double so_far = seconds_before_ + seconds();
  visitor.visit("seconds", so_far);
  if (visitor.reads()) seconds_before_ = so_far;
  if (visitor.reads()) samples_before_ = result_.samples;
  localbatch::visit_state(visitor, result_.communication);
  if (visitor.reads()) communication_before_ = result_.communication;

  std::array<CsvBeginning, kMostFiles> written{};
  if (files_ != nullptr)
    std::ranges::transform(files_->all(), written.begin(),
                           [](const CsvFile* file) { return file->written(); });
  for (CsvBeginning& of_file : written) {
    visitor.visit("file.size", of_file.size);
    visitor.visit("file.checksum", of_file.checksum);
  }
  if (visitor.reads() && comm_.worker() == 0)
    files_ = std::make_unique<Files>(folder_, experiment_, written);
}

void RoundWriter::add_up_communication() {
  result_.communication = communication_before_;
  result_.communication += comm_.ledger_of_all();
}

void RoundWriter::sync_files() {
  for (CsvFile* const file : files_->all()) file->sync();
}

void RoundWriter::ask_shadow_controllers(const RoundRecord& round) {
  const LocalSgd& method = experiment_.method;
  std::size_t number = 0;
  for (const ShadowController& shadow : experiment_.shadow_controllers) {
    const Wanted wanted = method.wanted_by(*shadow.controller, round, round.observed);
    files_->controllers->write(
        {.record = round,
         .controller = ++number,
         .settings = shadow.settings,
         .wanted = wanted,
         .decision = apply_limits(method.limits, round.local_batch_size, wanted)});
  }
}

double RoundWriter::seconds() const { return monotonic_seconds() - started_; }

double RoundWriter::epoch(std::int64_t samples) const {
  return static_cast<double>(samples) / static_cast<double>(epoch_samples_);
}

void RoundWriter::evaluate(const RoundRecord& round) {
  const RunProgress before = progress(round);
  TestResult test;
  std::optional<SetResult> averaged;
  {
    const Stopwatch::Scope timed(evaluating_);
    test = worker_.evaluate(comm_);
    if (averaged_weights_) averaged = evaluate_averaged_weights();
  }
  evaluations_.pass(round.samples);
  const EvaluationRow row{.round = round.round,
                          .samples = round.samples,
                          .epoch = epoch(round.samples),
                          .train_loss = loss_since_evaluation_ /
                                        static_cast<double>(round.samples - samples_at_evaluation_),
                          .test = test,
                          .local_batch_size = round.local_batch_size,
                          .sync_interval = round.local_steps,
                          .averaged = averaged};
  result_.last_evaluation = row;
  loss_since_evaluation_ = 0;
  samples_at_evaluation_ = round.samples;
  if (files_ == nullptr) return;
  files_->evaluations->write(row);
  events_.on_evaluation(before, row);
  training_seconds_at_evaluation_ = before.training_seconds;
}

/// Collective.
std::optional<SetResult> RoundWriter::evaluate_averaged_weights() {
  averaged_weights_->swap(worker_.parameters());
  const TestResult found = worker_.evaluate(comm_);
  averaged_weights_->swap(worker_.parameters());
  return SetResult{.loss = found.loss,
                   .correct = found.correct.value(),
                   .targets = (found.images ? found.images : found.tokens).value()};
}

void RoundWriter::write_timing(std::int64_t round, std::int64_t samples,
                               double evaluation_seconds) {
  const WorkerSeconds& worker = worker_.seconds();
  const TimingRow now{.round = round,
                      .total = seconds(),
                      .slot = worker.slot.seconds(),
                      .data = worker.data.seconds(),
                      .gradient = worker.gradient.seconds(),
                      .optimizer = worker.optimizer.seconds(),
                      .communication = comm_.seconds(),
                      .evaluation = evaluation_seconds,
                      .forward = worker.forward,
                      .backward = worker.backward,
                      .statistics = worker.statistics.seconds(),
                      .waiting = comm_.waited_seconds()};
  files_->timing->write({.round = round,
                         .total = now.total - before_.total,
                         .slot = now.slot - before_.slot,
                         .data = now.data - before_.data,
                         .gradient = now.gradient - before_.gradient,
                         .optimizer = now.optimizer - before_.optimizer,
                         .communication = now.communication - before_.communication,
                         .evaluation = evaluation_seconds,
                         .forward = now.forward - before_.forward,
                         .backward = now.backward - before_.backward,
                         .statistics = now.statistics - before_.statistics,
                         .waiting = now.waiting - before_.waiting,
                         .tokens = samples * result_.tokens_per_sample});
  before_ = now;
}

RunProgress RoundWriter::progress(const RoundRecord& round) const {
  const double now = seconds();
  const double training = now - evaluating_.seconds();
  const double since = training - training_seconds_at_evaluation_;
  const auto samples =
      static_cast<double>(round.samples - std::max(samples_at_evaluation_, samples_before_));
  const auto done = static_cast<double>(round.samples - samples_before_);
  const std::int64_t left =
      std::max(experiment_.method.max_samples - round.samples, std::int64_t{0});
  return {.round = round.round,
          .samples = round.samples,
          .max_samples = experiment_.method.max_samples,
          .local_batch_size = round.local_batch_size,
          .sync_interval = round.local_steps,
          .loss = round.loss,
          .seconds = now,
          .training_seconds = training,
          .samples_per_second = since > 0 ? samples / since : 0,
          .seconds_left = now / done * static_cast<double>(left),
          .tokens_per_sample = result_.tokens_per_sample};
}

RunResult RoundWriter::result(Outcome outcome) const {
  RunResult result = result_;
  result.outcome = outcome;
  result.folder = folder_;
  result.seconds = seconds_before_ + seconds();
  return result;
}

}  // namespace localbatch
