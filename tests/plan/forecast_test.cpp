#include "plan/forecast.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "comm/thread_process_group.h"
#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "experiment/fixtures.h"
#include "run/run_fixtures.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

/// The same experiment as tiny_experiment() with changes.
Experiment tiny_with(const std::vector<std::string>& settings) {
  Node file = parse_yaml(tiny_experiment(), "tiny.yaml");
  for (const std::string& setting : settings) apply_setting(file, setting);
  return read_experiment(Options(file));
}

Machine machine_of(int workers, const std::vector<int>& hosts) {
  return {.placement = {.workers = workers, .hosts = hosts}, .cores_of_host = 8, .speed = 100};
}

RunForecast forecast(const std::vector<std::string>& settings, const std::vector<int>& hosts) {
  const Experiment experiment = tiny_with(settings);
  return forecast_run(experiment, machine_of(experiment.workers, hosts));
}

/// Runs the experiment on simulated ranks and returns the folder of its results.
fs::path run_on(const std::vector<int>& hosts, const RunRequest& request) {
  fs::path folder;
  run_simulated_ranks(hosts, [&](ProcessGroup& processes) {
    const RunResult result = run_experiment(request, processes, {}, [] {});
    if (processes.rank() == 0) folder = result.folder;
  });
  return folder;
}

nlohmann::json communication_of(const fs::path& folder) {
  return nlohmann::json::parse(text_of(folder / "summary.json")).at("communication");
}

/// Forecast and real run of the same settings: rounds, evaluations, and every entry of the ledger.
void check_forecast(const std::vector<std::string>& settings, const std::vector<int>& hosts) {
  const ScratchFolder scratch;
  const RunCost cost = forecast(settings, hosts).cost;
  const fs::path folder = run_on(hosts, request(scratch, tiny_experiment(), "out", settings));
  const Columns rounds = read_csv(folder / "rounds.csv");
  CHECK(cost.count.rounds == static_cast<std::int64_t>(rounds.at("round").size()));
  CHECK(cost.count.samples == integers(rounds.at("samples")).back());
  CHECK(cost.count.sync_interval == integers(rounds.at("sync_interval")).front());
  long local_steps = 0;
  for (const long steps : integers(rounds.at("sync_interval"))) local_steps += steps;
  CHECK(cost.count.local_steps == local_steps);
  CHECK(cost.count.evaluations ==
        static_cast<std::int64_t>(read_csv(folder / "evaluations.csv").at("round").size()));
  const MeasuredRun measured = read_measured_run(folder);
  for (std::size_t kind = 0; kind < kTrafficKinds; ++kind) {
    CAPTURE(kTrafficNames[kind]);
    const Ledger::Total& expected = cost.traffic.ledger.entries[kind];
    const Ledger::Total& real = measured.communication.entries[kind];
    CHECK(expected.messages == real.messages);
    CHECK(expected.bytes == real.bytes);
    CHECK(expected.bytes_between_hosts == real.bytes_between_hosts);
  }
}

}  // namespace

TEST_CASE("the forecast of what is sent is what a run's summary shows") {
  // A test that always looks, and never changes the batch.
  const std::string tests = "batch_size_controller={name: norm_test, eta: 1000}";
  const std::string fixed = "batch_size_controller={name: fixed}";
  const std::vector<std::vector<std::string>> experiments{
      {fixed},
      {tests},
      {tests, "dataset.validation=23"},
      // With batch norm, and H that does not divide the run.
      {"batch_size_controller={name: norm_test, eta: 1000, every_rounds: 3}",
       "model={name: resnet}", "max_samples=70", "evaluation.every_samples=0"},
      {fixed, "audit={every_rounds: 4, samples: 6}",
       "shadow_controllers=[{name: coordinate_norm_test}]"},
      {tests, "gradient_statistics={chunks: delta}"},
      {tests, "gradient_statistics={chunks: samples, at: first}"},
      {tests, "gradient_statistics={chunks: samples, gradient: own}"},
      {tests, "gradient_statistics={chunks: micro_batches}", "batch_size.micro_batch=2"},
      {tests, "gradient_statistics={chunks: micro_batches, gradient: own}",
       "batch_size.micro_batch=2", "audit={every_rounds: 4, samples: 6}"},
      {"batch_size_controller={name: inner_product_test, theta: 1000}",
       "audit={every_rounds: 4, samples: 6}"},
      {tests, "model={name: resnet}", "max_samples=70", "evaluation.every_samples=0",
       "audit={every_rounds: 2, samples: 48, samples_in_batch: true}"},
      {fixed, "model={name: resnet}", "max_samples=70", "inner_optimizer.at_sync=keep",
       "batch_norm_at_sync=recompute", "batch_norm_batches=3"},
      {fixed, "communication={parameters: top_k, share: 0.1}", "worker_weights={temperature: 1}"},
      {fixed, "evaluation.averaged_over=100", "dataset.validation=23"},
      {"sync_interval={name: post_local, H: 5, start_samples: 100}",
       "batch_size_controller={name: geometric, factor: 2, every_samples: 150}"}};
  for (const std::vector<std::string>& settings : experiments)
    for (const std::vector<int>& hosts : std::vector<std::vector<int>>{{0}, {0, 1}, {0, 0, 1}}) {
      CAPTURE(settings.front());
      CAPTURE(hosts.size());
      check_forecast(settings, hosts);
    }
}

TEST_CASE("the forecast of a problem's run, traced and not") {
  const std::string problem =
      "experiment: problem\nworkers: 4\nmax_samples: 300\nproblem: {name: quadratic, dimension: "
      "20}\nlearning_rate: {peak: 0.01}\nsync_interval: {H: 3}\nbatch_size: {initial: "
      "5}\nevaluation: {every_samples: 100}\n";
  for (const std::string trace : {"problem.trace=true", "problem.trace=false"})
    for (const std::vector<int>& hosts : {std::vector<int>{0}, std::vector<int>{0, 1, 2}}) {
      CAPTURE(trace);
      CAPTURE(hosts.size());
      const ScratchFolder scratch;
      const fs::path folder = run_on(hosts, request(scratch, problem, "out", {trace}));
      Node file = parse_yaml(problem, "problem.yaml");
      apply_setting(file, trace);
      const Experiment experiment = read_experiment(Options(file));
      const RunForecast run = forecast_run(experiment, machine_of(4, hosts));
      CHECK(run.cost.traffic.ledger == read_measured_run(folder).communication);
      CHECK(run.parameters == 20);
      CHECK_FALSE(run.forward_multiply_adds);
    }
  Node file = parse_yaml(problem, "problem.yaml");
  const Experiment experiment = read_experiment(Options(file));
  CHECK(contains(input_error([&] { forecast_run(experiment, {.placement = {.workers = 4}}); }),
                 "the speed of a problem is not measured"));
}

TEST_CASE("the forecast of memory counts the samples of a problem") {
  Node file = parse_yaml(
      "workers: 2\nmax_samples: 9\nlearning_rate: {peak: 0.1}\n"
      "problem: {name: generated_logistic_regression, samples: 500, features: 50}\n",
      "problem.yaml");
  const Experiment experiment = read_experiment(Options(file));
  const RunForecast run = forecast_run(experiment, machine_of(2, {0}));
  const auto data = std::ranges::find(run.memory.parts, "data set", &MemoryPart::name);
  REQUIRE(data != run.memory.parts.end());
  CHECK(data->bytes == 500 * (50 + 1 + 1) * sizeof(float));
}

TEST_CASE("what is not known before a run is said") {
  CHECK(forecast({}, {0}).cost.count.assumes_local_batch_size);
  CHECK_FALSE(forecast({}, {0}).cost.count.assumes_sync_interval);
  const RunForecast fixed = forecast({"batch_size_controller={name: fixed}"}, {0});
  CHECK_FALSE(fixed.cost.count.assumes_local_batch_size);
  const RunForecast adacomm = forecast({"sync_interval={name: adacomm, H: 7}"}, {0});
  CHECK(adacomm.cost.count.assumes_sync_interval);
  CHECK(adacomm.cost.count.sync_interval == 7);
  for (const RunCost& cost : adacomm.alternatives) CHECK_FALSE(cost.count.assumes_sync_interval);
  // The learning rate decides H, and gradients decide the learning rate.
  const std::string quadratic = "sync_interval={name: quadratic, H: 2, alpha: 0.01}";
  CHECK_FALSE(forecast({quadratic}, {0}).cost.count.assumes_sync_interval);
  CHECK(forecast({quadratic, "learning_rate_coupling={name: adascale}"}, {0})
            .cost.count.assumes_sync_interval);
}

TEST_CASE("seconds follow from speed, waits and the busiest link") {
  const std::vector<std::string> fixed{"batch_size_controller={name: fixed}", "workers=2",
                                       "max_samples=800", "evaluation.every_samples=1000"};
  const Experiment experiment = tiny_with(fixed);
  Machine machine = machine_of(2, {0, 1});
  machine.interconnect = {.bandwidth = 1000, .latency = 0.5};
  const RunForecast run = forecast_run(experiment, machine);
  const RunCost& cost = run.cost;
  CHECK(cost.count.rounds == 50);  // 800/(2 workers x 4 samples x 2 steps)
  CHECK(cost.compute_seconds == doctest::Approx(400.0 / 100));
  CHECK(cost.evaluation_seconds == doctest::Approx(61.0 / 2 / (3 * 100)));
  // A round waits for all, for slices out and back, and for numbers; the evaluation and the final
  // model have no batch norm to average, but its two meetings and the sums.
  CHECK(cost.traffic.waits == 50 * (3 + 1) + (1 + 1) + 1);
  CHECK(cost.communication_seconds ==
        doctest::Approx(0.5 * static_cast<double>(cost.traffic.waits) +
                        static_cast<double>(cost.traffic.busiest_link()) / 1000));
  CHECK(cost.seconds() ==
        cost.compute_seconds + cost.communication_seconds + cost.evaluation_seconds);
  std::vector<std::string> in_part = fixed;
  in_part.emplace_back("evaluation.max_samples=20");
  CHECK(forecast_run(tiny_with(in_part), machine).cost.evaluation_seconds ==
        doctest::Approx(20.0 / 2 / (3 * 100)));
  CHECK_FALSE(run.tokens_per_second());  // of images
  REQUIRE(run.alternatives.size() == 4);
  CHECK(run.alternatives[0].count.rounds == 100);
  CHECK(run.alternatives[1].count.rounds == 25);
  CHECK(run.alternatives[0].compute_seconds == cost.compute_seconds);
  CHECK(run.alternatives[0].traffic.ledger[Traffic::kParameters].bytes ==
        2 * cost.traffic.ledger[Traffic::kParameters].bytes);
}

TEST_CASE("workers of a rank take turns with its slots") {
  const Experiment experiment = tiny_with({"workers=6", "threads_per_worker=2"});
  Machine machine = machine_of(6, {0, 0});
  const auto compute = [&](int cores) {
    machine.cores_of_host = cores;
    const RunForecast run = forecast_run(experiment, machine);
    CHECK(run.hosted_workers == 3);
    return std::pair(run.slots, run.cost.compute_seconds);
  };
  const auto [all, seconds] = compute(12);
  CHECK(all == 3);
  CHECK(compute(4) == std::pair(1, 3 * seconds));
  CHECK(compute(100) == std::pair(3, seconds));
}

TEST_CASE("operations and memory of a small network") {
  const RunForecast run = forecast({"workers=3", "batch_size_controller={name: fixed}"}, {0, 1});
  const std::size_t inputs = 3 * 32 * 32, n = inputs * 16 + 16 + 16 * 10 + 10;
  CHECK(run.parameters == n);
  REQUIRE(run.forward_multiply_adds);
  CHECK(*run.forward_multiply_adds == static_cast<std::int64_t>(inputs * 16 + 16 * 10));
  const auto bytes = [](const RunForecast& of, const std::string& name) -> std::size_t {
    for (const MemoryPart& part : of.memory.parts)
      if (part.name == name) return part.bytes;
    return 0;
  };
  // Two workers on a rank.
  for (const char* const part : {"parameters", "gradient", "optimizer state"})
    CHECK(bytes(run, part) == 2 * n * 4);
  CHECK(bytes(run, "global parameters and mean") == 2 * 2 * n * 4);
  CHECK(bytes(run, "gradients to compare") == 0);
  CHECK(bytes(run, "batch norm statistics") == 0);
  CHECK(bytes(run, "buffers of averages") > 0);
  CHECK(bytes(run, "data set") == (200 + 61) * (inputs + sizeof(Label)));
  CHECK(bytes(run, "execution slots") > 2 * 8 * inputs * 4);
  std::size_t total = 0;
  for (const MemoryPart& part : run.memory.parts) total += part.bytes;
  CHECK(run.memory.total() == total);
  CHECK(bytes(forecast({"workers=3"}, {0, 1}), "gradients to compare") == 2 * n * 4);
  CHECK(bytes(forecast({"gradient_statistics={chunks: delta}"}, {0}), "gradients to compare") == 0);
}

TEST_CASE("a speed that nobody gives is measured") {
  const Experiment experiment = tiny_with({});
  Machine machine = machine_of(3, {0});
  machine.speed.reset();
  const RunForecast run = forecast_run(experiment, machine);
  CHECK(run.speed_is_measured);
  REQUIRE(run.machine.speed);
  CHECK(*run.machine.speed > 0);
}

TEST_CASE("a finished run tells its speed and its seconds") {
  const ScratchFolder scratch;
  const RunRequest asked = request(scratch, tiny_experiment(), "out");
  const fs::path folder = run_alone(asked).folder;
  const Columns timing = read_csv(folder / "timing.csv");
  const auto sum = [&](const std::string& name) {
    double seconds = 0;
    for (const std::string& cell : timing.at(name)) seconds += std::stod(cell);
    return seconds;
  };
  const MeasuredRun run = read_measured_run(folder, text_of(folder / "experiment.yaml"));
  CHECK(run.rounds == static_cast<std::int64_t>(timing.at("round").size()));
  CHECK(run.samples >= 600);
  CHECK(run.seconds == doctest::Approx(sum("total_seconds")));
  CHECK(run.waiting_seconds <= run.communication_seconds);
  REQUIRE(run.speed);
  CHECK(*run.speed * (sum("data_seconds") + sum("gradient_seconds") + sum("optimizer_seconds")) ==
        doctest::Approx(static_cast<double>(run.samples) / 3));
  CHECK(run.ranks == 1);

  const std::string other = resolved_yaml(tiny_with({"seed=4"}).resolved);
  CHECK(contains(input_error([&] { read_measured_run(folder, other); }), "seed is 3 there and 4"));
  CHECK(contains(input_error([&] { read_measured_run(scratch.path()); }), "no finished run"));
  std::ofstream(folder / "timing.csv") << "round,total_seconds\n1,2\n";
  CHECK(contains(input_error([&] { read_measured_run(folder); }), "timing.csv: has no column"));
  std::ofstream(folder / "rounds.csv") << "samples,sync_interval,local_batch_size\n12,x,4\n";
  CHECK(contains(input_error([&] { read_measured_run(folder); }),
                 "rounds.csv:2: sync_interval: found 'x', expected a number"));
  std::ofstream(folder / "rounds.csv") << "samples,sync_interval,local_batch_size\n12,3\n";
  CHECK(contains(input_error([&] { read_measured_run(folder); }), "rounds.csv:2: "));
  std::ofstream(folder / "summary.json") << "{";
  CHECK(input_error([&] { read_measured_run(folder); }) != "(no InputError)");
}

TEST_CASE("waiting is a part of communication in every round") {
  const ScratchFolder scratch;
  const fs::path folder = run_on({0, 1}, request(scratch, tiny_experiment(), "out"));
  const Columns timing = read_csv(folder / "timing.csv");
  double waited = 0;
  for (std::size_t i = 0; i < timing.at("round").size(); ++i) {
    const double waiting = std::stod(timing.at("waiting_seconds")[i]);
    CHECK(waiting >= 0);
    CHECK(waiting <= std::stod(timing.at("communication_seconds")[i]) + 1e-5);
    waited += waiting;
  }
  CHECK(waited > 0);
}

TEST_CASE("a run that was interrupted counts what was sent before") {
  const ScratchFolder scratch;
  const std::vector<int> hosts{0, 1};
  const fs::path whole = run_on(hosts, request(scratch, tiny_experiment(), "whole"));
  RunRequest request_in_two = request(scratch, tiny_experiment(), "two");
  int asked = 0;
  request_in_two.stop_requested = [&] { return ++asked == 5; };
  run_simulated_ranks(hosts, [&](ProcessGroup& processes) {
    RunRequest mine = request_in_two;
    if (processes.rank() != 0) mine.stop_requested = [] { return false; };
    CHECK(run_experiment(mine, processes, {}, [] {}).outcome == Outcome::kStopped);
  });
  const fs::path resumed = run_on(hosts, request(scratch, tiny_experiment(), "two"));
  const nlohmann::json once = communication_of(whole), twice = communication_of(resumed);
  for (const char* const purpose : {"parameters", "state", "gradients", "statistics", "evaluation"})
    CHECK(once.at(purpose) == twice.at(purpose));
  CHECK(twice.at("checkpoint").at("bytes") > once.at("checkpoint").at("bytes"));
}

TEST_CASE("the forecast of a checkpoint's bytes is the size of the file") {
  const std::vector<std::vector<std::string>> experiments{
      {},
      {"outer_optimizer={name: slowmo}", "communication.parameters=bf16"},
      {"model={name: resnet}", "max_samples=70", "inner_optimizer={name: adamw}",
       "audit={every_rounds: 4, samples: 48}"}};
  for (const std::vector<std::string>& settings : experiments)
    // Before the first evaluation, and behind one.
    for (const int rounds : {1, 3})
      for (const std::vector<int>& hosts : {std::vector<int>{0}, std::vector<int>{0, 1}}) {
        CAPTURE(rounds);
        const ScratchFolder scratch;
        RunRequest asked = request(scratch, tiny_experiment(), "out", settings);
        int counted = 0;
        asked.stop_requested = [&] { return ++counted == rounds; };
        fs::path folder;
        run_simulated_ranks(hosts, [&](ProcessGroup& processes) {
          RunRequest mine = asked;
          if (processes.rank() != 0) mine.stop_requested = [] { return false; };
          const RunResult result = run_experiment(mine, processes, {}, [] {});
          CHECK(result.outcome == Outcome::kStopped);
          if (processes.rank() == 0) folder = result.folder;
        });
        std::vector<std::size_t> sizes;
        for (const fs::directory_entry& entry : fs::directory_iterator(folder))
          if (entry.path().filename().string().starts_with("checkpoint-"))
            sizes.push_back(entry.file_size());
        CHECK(sizes == std::vector{forecast(settings, hosts).checkpoint_bytes});
      }
}

TEST_CASE("the forecast as JSON") {
  const auto json = nlohmann::json::parse(to_json(forecast({}, {0, 0, 1}), {}));
  CHECK(json.at("ranks") == 3);
  CHECK(json.at("hosts") == 2);
  CHECK(json.at("run").at("sync_interval") == 2);
  CHECK(json.at("initial_local_batch_size_assumed") == true);
  CHECK(json.at("round").at("parameters").at("bytes") == 2 * 2 * 49338 * 4);
  CHECK(json.at("alternatives").size() == 4);
  CHECK(json.at("memory_bytes_per_rank").at("execution_slots") > 0);
  CHECK(json.at("checkpoint_bytes") > 49338 * 4);
  CHECK(json.at("measured_run").is_null());
  MeasuredRun measured;
  measured.seconds = 3;
  CHECK(nlohmann::json::parse(to_json(forecast({}, {0}), measured))
            .at("measured_run")
            .at("seconds") == 3);
}

TEST_CASE("cells that share what the speed depends on are measured once") {
  MeasuredSpeeds speeds;
  const Machine machine{.placement = {.workers = 3}, .cores_of_host = 2};
  const auto speed_of = [&](const std::vector<std::string>& settings) {
    return *forecast_run(tiny_with(settings), machine, speeds).machine.speed;
  };
  const double first = speed_of({});
  CHECK(speed_of({"seed=7"}) == first);
  CHECK(speed_of({"sync_interval.H=5", "batch_size_controller.eta=0.9"}) == first);
  CHECK(speeds.size() == 1);
  speed_of({"batch_size.initial=8"});
  CHECK(speeds.size() == 2);
}

TEST_CASE("a forecast doubts what a run doubts") {
  CHECK(forecast({}, {0}).doubts.empty());
  const std::vector<std::string> doubts =
      forecast({"learning_rate_coupling={name: sqrt}"}, {0}).doubts;
  REQUIRE(doubts.size() == 1);
  CHECK(contains(doubts.front(), "sqrt"));
}

}  // namespace localbatch
