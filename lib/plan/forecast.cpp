#include "plan/forecast.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "bench/measure_training.h"
#include "comm/workers.h"
#include "core/error.h"
#include "core/json.h"
#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "plan/dry_rounds.h"
#include "run/checkpointer.h"
#include "run/run_experiment.h"
#include "run/run_files.h"
#include "run/worker_run.h"
#include "train/slot_pool.h"

namespace localbatch {

namespace {

constexpr double kMeasuredSeconds = 1;
constexpr std::array<int, 4> kAlternatives{1, 4, 16, 32};

/// All that the speed of a local step depends on, as text.
std::string speed_key(const Experiment& experiment, const NetworkFacts& network) {
  std::vector<Declaration> parts;
  for (const char* const key : {"model", "precision", "convolution", "kernels", "kernels_hash"})
    std::ranges::copy_if(experiment.resolved, std::back_inserter(parts),
                         [key](const Declaration& declared) { return declared.key == key; });
  const SampleShape sample = network.model->sample();
  return fmt::format("{}{} {} {} {} {}", resolved_yaml(parts), sample.input_bytes(),
                     sample.num_classes, network.execution.threads, network.execution.max_samples,
                     experiment.method.initial_local_batch_size);
}

/// A local step of b samples in as few micro-batches as there may be, and one update.
MeasuredSpeed measure_speed(const Experiment& experiment, const NetworkFacts& network) {
  const int b = experiment.method.initial_local_batch_size;
  ExecutionOptions execution = network.execution;
  const int micro_batches = (b + execution.max_samples - 1) / execution.max_samples;
  execution.max_samples = (b + micro_batches - 1) / micro_batches;
  const CpuSnapshot before = look_at_cpus();
  const TrainingSpeed speed = measure_training(*network.model, execution, kMeasuredSeconds, {});
  const double load = foreign_load(before, look_at_cpus()).value_or(0);
  const double update = speed.optimizer_milliseconds;
  return {.samples_per_second =
              1e3 * b / (micro_batches * std::max(0.0, speed.step_milliseconds - update) + update),
          .doubt = load > kTooMuchForeignLoad
                       ? fmt::format("other programs used {:.0f} % of the cores while the speed "
                                     "was measured: a quiet machine is faster",
                                     100 * load)
                       : ""};
}

const MeasuredSpeed& measured_speed(const Experiment& experiment, const NetworkFacts& network,
                                    MeasuredSpeeds& speeds) {
  const auto [place, is_new] = speeds.try_emplace(speed_key(experiment, network));
  if (is_new) place->second = measure_speed(experiment, network);
  return place->second;
}

std::size_t checkpoint_bytes_of(const Experiment& experiment, std::int64_t epoch_samples,
                                const MakeWorker& make_dry_worker) {
  const RunEvents nobody_watches;
  return checkpoint_bytes({.experiment = experiment,
                           .folder = {},
                           .epoch_samples = epoch_samples,
                           .facts = {.made_by = program_identity()},
                           .schedule = {},
                           .events = nobody_watches},
                          make_dry_worker);
}

int most_workers_of_a_rank(int workers, int ranks) { return (workers + ranks - 1) / ranks; }

TrafficOfParts parts_of(const Experiment& experiment, const Task& task,
                        const TrafficForecast& forecast) {
  return traffic_of_parts(
      meetings_of(experiment, [&](Communicator& comm) { return task.make_dry_worker(comm); }),
      forecast);
}

}  // namespace

CostModel::CostModel(const Experiment& experiment, const Task& task, const Placement& placement,
                     int cores_of_host)
    : workers_(experiment.workers),
      hosts_(placement.num_hosts()),
      ranks_(placement.num_ranks()),
      hosted_workers_(most_workers_of_a_rank(workers_, ranks_)) {
  const TaskFacts facts = task.facts();
  const int ranks_of_host = (ranks_ + hosts_ - 1) / hosts_;
  slots_ =
      execution_slots(cores_of_host / ranks_of_host, experiment.worker_threads(), hosted_workers_);
  const int evaluated_models = experiment.averaged_over > 0 ? 2 : 1;
  evaluated_samples_ =
      evaluated_models * static_cast<double>(facts.evaluated_samples + facts.validation_samples);
  const TrafficForecast forecast(placement);
  buffer_bytes_ = forecast.buffer_bytes(facts.parameters);
  traffic_ = parts_of(experiment, task, forecast);
}

RunCost CostModel::cost(const RoundCount& count, const ExpectedTraffic& traffic, const Speed& speed,
                        const Interconnect& interconnect) const {
  RunCost cost{.count = count, .traffic = traffic};
  // How far workers of a rank wait for its slots.
  const double crowding = std::max(1.0, static_cast<double>(hosted_workers_) / slots_);
  const double of_worker = evaluated_samples_ / workers_;
  cost.compute_seconds = static_cast<double>(count.worker_samples) * crowding / speed.training;
  cost.evaluation_seconds =
      static_cast<double>(count.evaluations) * of_worker * crowding / (3 * speed.evaluation);
  cost.communication_seconds = interconnect.seconds(traffic);
  return cost;
}

RunForecast forecast_run(const Experiment& experiment, const Machine& machine,
                         MeasuredSpeeds& speeds) {
  const int ranks = machine.placement.num_ranks();
  check_ranks(experiment.workers, ranks);
  if (!experiment.task->has_network() && !machine.speed)
    fail_input(
        "plan: the speed of a problem is not measured, expected --samples-per-second or "
        "--speed-from");
  const std::unique_ptr<Task> task = load_task(experiment, TaskUse::kOutline);
  const TaskFacts facts = task->facts();
  const CostModel model(experiment, *task, machine.placement, machine.cores_of_host);
  RunForecast run{.experiment = experiment.name,
                  .workers = experiment.workers,
                  .threads_per_worker = experiment.threads_per_worker,
                  .hosted_workers = model.hosted_workers(),
                  .slots = model.slots(),
                  .machine = machine,
                  .speed_is_measured = !machine.speed,
                  .parameters = facts.parameters,
                  .tokens_per_sample = facts.tokens_per_sample};
  if (facts.network) {
    run.forward_multiply_adds = facts.network->model->multiply_adds();
    if (!machine.speed) {
      const MeasuredSpeed& measured = measured_speed(experiment, *facts.network, speeds);
      run.machine.speed = measured.samples_per_second;
      if (!measured.doubt.empty()) run.doubts.push_back(measured.doubt);
    }
  }

  run.memory =
      forecast_memory(experiment, *task, run.hosted_workers, run.slots, model.buffer_bytes());
  run.checkpoint_bytes =
      checkpoint_bytes_of(experiment, facts.epoch_samples,
                          [&](Communicator& comm) { return task->make_dry_worker(comm); });
  const TrafficOfParts& traffic = model.traffic();
  run.round = traffic.round;
  run.measured_round = traffic.measured_round;
  const auto cost = [&](std::optional<int> H) {
    const RoundCount count = count_rounds(experiment, facts.epoch_samples, H);
    return model.cost(count, traffic.of_run(count), {*run.machine.speed, *run.machine.speed},
                      machine.interconnect);
  };
  run.cost = cost({});
  for (const int H : kAlternatives) run.alternatives.push_back(cost(H));
  std::ranges::move(doubtful_settings(experiment, facts), std::back_inserter(run.doubts));
  return run;
}

namespace {

Json memory_of(const MemoryForecast& memory) {
  Json parts = Json::object();
  for (const MemoryPart& part : memory.parts) {
    std::string key = part.name;
    std::ranges::replace(key, ' ', '_');
    parts[key] = part.bytes;
  }
  parts["total"] = memory.total();
  return parts;
}

Json to_json(const RunCost& cost) {
  return {{"sync_interval", cost.count.sync_interval},
          {"rounds", cost.count.rounds},
          {"local_steps", cost.count.local_steps},
          {"samples", cost.count.samples},
          {"evaluations", cost.count.evaluations},
          {"communication", to_json(cost.traffic.ledger)},
          {"bytes_of_busiest_link", cost.traffic.busiest_link()},
          {"compute_seconds", cost.compute_seconds},
          {"communication_seconds", cost.communication_seconds},
          {"evaluation_seconds", cost.evaluation_seconds},
          {"seconds", cost.seconds()}};
}

Json to_json(const MeasuredRun& run) {
  return {{"rounds", run.rounds},
          {"samples", run.samples},
          {"ranks", run.ranks},
          {"communication", to_json(run.communication)},
          {"compute_seconds", run.compute_seconds},
          {"communication_seconds", run.communication_seconds},
          {"waiting_seconds", run.waiting_seconds},
          {"evaluation_seconds", run.evaluation_seconds},
          {"seconds", run.seconds}};
}

}  // namespace

std::string to_json(const RunForecast& run, const std::optional<MeasuredRun>& measured) {
  Json alternatives = Json::array();
  for (const RunCost& cost : run.alternatives) alternatives.push_back(to_json(cost));
  const auto& multiply_adds = run.forward_multiply_adds;
  const Json json{{"experiment", run.experiment},
                  {"workers", run.workers},
                  {"threads_per_worker", run.threads_per_worker},
                  {"ranks", run.machine.placement.num_ranks()},
                  {"hosts", run.machine.placement.num_hosts()},
                  {"workers_of_a_rank", run.hosted_workers},
                  {"execution_slots_per_rank", run.slots},
                  {"cores_of_a_host", run.machine.cores_of_host},
                  {"bandwidth_bytes_per_second", run.machine.interconnect.bandwidth},
                  {"latency_seconds", run.machine.interconnect.latency},
                  {"samples_per_second_of_a_worker", *run.machine.speed},
                  {"tokens_per_second_of_a_worker", or_null(run.tokens_per_second())},
                  {"speed_is_measured", run.speed_is_measured},
                  {"parameters", run.parameters},
                  {"forward_multiply_adds", multiply_adds ? Json(*multiply_adds) : Json()},
                  {"memory_bytes_per_rank", memory_of(run.memory)},
                  {"checkpoint_bytes", run.checkpoint_bytes},
                  {"round", to_json(run.round.ledger)},
                  {"measured_round", to_json(run.measured_round.ledger)},
                  {"initial_sync_interval_assumed", run.cost.count.assumes_sync_interval},
                  {"initial_local_batch_size_assumed", run.cost.count.assumes_local_batch_size},
                  {"run", to_json(run.cost)},
                  {"alternatives", alternatives},
                  {"measured_run", measured ? to_json(*measured) : Json()}};
  return json.dump(2) + "\n";
}

}  // namespace localbatch
