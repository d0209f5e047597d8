#include "experiment/forecast_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "experiment/ledger_json.h"

namespace localbatch {

namespace {

using Json = nlohmann::ordered_json;

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
                  {"bandwidth_bytes_per_second", run.machine.bandwidth},
                  {"latency_seconds", run.machine.latency},
                  {"samples_per_second_of_a_worker", *run.machine.speed},
                  {"speed_is_measured", run.speed_is_measured},
                  {"parameters", run.parameters},
                  {"forward_multiply_adds", multiply_adds ? Json(*multiply_adds) : Json()},
                  {"memory_bytes_per_rank", memory_of(run.memory)},
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
