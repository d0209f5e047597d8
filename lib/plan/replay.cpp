#include "plan/replay.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/csv.h"
#include "core/error.h"
#include "core/json.h"
#include "experiment/experiment_file.h"
#include "run/run_files.h"

namespace localbatch {

namespace {

/// The round as LocalSgd planned it for the recorded workers after `samples` of them, which says
/// who looks at its gradients. A plan needs a sample that is left of the budget.
RoundCount count_of(const Recording& recording, const RecordedRound& recorded,
                    std::int64_t samples) {
  LocalSgd method = recording.experiment.method;
  method.num_workers = recording.recorded_workers;
  const RoundPlan plan = method.plan({.round = recorded.round - 1,
                                      .samples = std::min(samples, method.max_samples - 1),
                                      .local_batch_size = recorded.local_batch_size});
  return {.rounds = 1,
          .samples = recorded.samples / recording.recorded_workers * recording.experiment.workers,
          .local_steps = recorded.local_steps,
          .worker_samples = std::int64_t{recorded.local_steps} * recorded.local_batch_size,
          .measured = plan.measured() ? 1 : 0,
          .audited = plan.audited ? 1 : 0,
          .evaluations = recorded.evaluated ? 1 : 0,
          .sync_interval = recorded.local_steps,
          .local_batch_size = recorded.local_batch_size};
}

void add(RunCost& total, const RunCost& cost) {
  RoundCount& sum = total.count;
  const RoundCount& more = cost.count;
  sum.rounds += more.rounds;
  sum.samples = more.samples;
  sum.local_steps += more.local_steps;
  sum.worker_samples += more.worker_samples;
  sum.measured += more.measured;
  sum.audited += more.audited;
  sum.evaluations += more.evaluations;
  total.traffic += cost.traffic;
  total.compute_seconds += cost.compute_seconds;
  total.communication_seconds += cost.communication_seconds;
  total.evaluation_seconds += cost.evaluation_seconds;
}

void check_reach_of_speed(const StepSeconds& speed, const Recording& recording) {
  if (speed.measured().empty()) return;
  const int least = speed.measured().begin()->first, most = speed.measured().rbegin()->first;
  for (const RecordedRound& recorded : recording.run.rounds) {
    const std::int64_t b = recorded.local_batch_size;
    if (b > std::int64_t{kReach} * most || kReach * b < least)
      fail_input(
          "{}: the speed was measured with local batches of {} to {}, found {} in round {}, "
          "allowed "
          "are {} times as many or as few without --extrapolate",
          recording.folder, least, most, b, recorded.round, kReach);
  }
}

}  // namespace

Recording read_recording(const std::filesystem::path& folder,
                         const std::function<Placement(int workers)>& placement, int cores_of_host,
                         std::optional<int> workers) {
  RecordedRun run = read_recorded_run(folder);
  const Node file = read_experiment_file(folder / "experiment.yaml");
  Experiment experiment = read_experiment(Options(file), /*cpu_has_bfloat16=*/true);
  const int recorded_workers = experiment.workers;
  experiment.workers = experiment.method.num_workers = workers.value_or(recorded_workers);
  const std::unique_ptr<Task> task = load_task(experiment, TaskUse::kOutline);
  CostModel model(experiment, *task, placement(experiment.workers), cores_of_host);
  return {.folder = folder.string(),
          .experiment = std::move(experiment),
          .recorded_workers = recorded_workers,
          .run = std::move(run),
          .model = std::move(model)};
}

Replay replay_run(const Recording& recording, const StepSeconds& speed,
                  const Interconnect& interconnect, Extrapolate extrapolate) {
  const Experiment& experiment = recording.experiment;
  const CostModel& model = recording.model;
  const bool within_reach = extrapolate == Extrapolate::kWithinReach;
  if (within_reach) check_reach_of_speed(speed, recording);
  Replay replay{.folder = recording.folder,
                .experiment = experiment.name,
                .workers = experiment.workers,
                .ranks = model.ranks(),
                .hosts = model.hosts(),
                .rounds = {},
                .total = {}};
  const auto cost_of = [&](const RoundCount& count, const ExpectedTraffic& traffic) {
    return model.cost(count, traffic,
                      {.training = speed.samples_per_second(count.local_batch_size),
                       .evaluation = speed.samples_per_second_of_largest()},
                      interconnect);
  };
  const TrafficOfParts& traffic = model.traffic();
  add(replay.total, cost_of({}, traffic.start));
  std::int64_t samples_before = 0;
  for (const RecordedRound& recorded : recording.run.rounds) {
    const RoundCount count = count_of(recording, recorded, samples_before);
    samples_before = recorded.samples;
    const RunCost cost = cost_of(count, traffic.of_rounds(count));
    add(replay.total, cost);
    replay.rounds.push_back(
        {.recorded = recorded, .cost = cost, .end_seconds = replay.total.seconds()});
  }
  const std::int64_t samples = replay.total.count.samples;
  add(replay.total, cost_of({.samples = samples}, traffic.end));
  if (within_reach) check_reach(interconnect, model.hosts(), replay.total.traffic);
  return replay;
}

std::string replays_csv(const std::vector<Replay>& runs) {
  std::string csv =
      csv_line({"folder", "round", "samples", "sync_interval", "local_batch_size", "measured",
                "evaluated", "sent_bytes", "busiest_link_bytes", "predicted_compute_seconds",
                "predicted_communication_seconds", "predicted_evaluation_seconds",
                "predicted_seconds", "predicted_end_seconds"});
  for (const Replay& replay : runs)
    for (const auto& [recorded, cost, end_seconds] : replay.rounds)
      csv += csv_line({replay.folder, csv_cell(recorded.round), csv_cell(cost.count.samples),
                       csv_cell(recorded.local_steps), csv_cell(recorded.local_batch_size),
                       csv_cell(cost.count.measured), csv_cell(cost.count.evaluations),
                       csv_cell(cost.traffic.ledger.bytes()), csv_cell(cost.traffic.busiest_link()),
                       csv_cell(cost.compute_seconds), csv_cell(cost.communication_seconds),
                       csv_cell(cost.evaluation_seconds), csv_cell(cost.seconds()),
                       csv_cell(end_seconds)});
  return csv;
}

namespace {

Json seconds_of(const RunCost& cost) {
  return {{"sent_bytes", cost.traffic.ledger.bytes()},
          {"busiest_link_bytes", cost.traffic.busiest_link()},
          {"predicted_compute_seconds", cost.compute_seconds},
          {"predicted_communication_seconds", cost.communication_seconds},
          {"predicted_evaluation_seconds", cost.evaluation_seconds},
          {"predicted_seconds", cost.seconds()}};
}

Json json_of(const ReplayedRound& round) {
  Json json{{"round", round.recorded.round},
            {"samples", round.cost.count.samples},
            {"sync_interval", round.recorded.local_steps},
            {"local_batch_size", round.recorded.local_batch_size},
            {"measured", round.cost.count.measured > 0},
            {"evaluated", round.cost.count.evaluations > 0}};
  json.update(seconds_of(round.cost));
  json["predicted_end_seconds"] = round.end_seconds;
  return json;
}

Json json_of(const Replay& replay) {
  Json json{{"folder", replay.folder},
            {"experiment", replay.experiment},
            {"workers", replay.workers},
            {"ranks", replay.ranks},
            {"hosts", replay.hosts},
            {"rounds", replay.total.count.rounds},
            {"local_steps", replay.total.count.local_steps},
            {"average_local_batch_size", replay.average_local_batch_size()},
            {"communication", to_json(replay.total.traffic.ledger)}};
  json.update(seconds_of(replay.total));
  Json rounds = Json::array();
  for (const ReplayedRound& round : replay.rounds) rounds.push_back(json_of(round));
  json["each_round"] = rounds;
  return json;
}

}  // namespace

std::string replays_json(const std::vector<Replay>& runs, const Interconnect& interconnect,
                         const std::string& speed) {
  Json all = Json::array();
  for (const Replay& replay : runs) all.push_back(json_of(replay));
  const Json json{
      {"bandwidth_bytes_per_second", interconnect.bandwidth},
      {"latency_seconds", interconnect.latency},
      {"network_file", interconnect.measured ? Json(interconnect.measured->file) : Json()},
      {"speed", speed},
      {"runs", all}};
  return json.dump(2) + "\n";
}

}  // namespace localbatch
