// Recorded trajectories on networks that are not here, against seconds that were worked out by
// hand.

#include "plan/replay.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "comm/thread_process_group.h"
#include "core/error.h"
#include "experiment/fixtures.h"
#include "run/run_fixtures.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

constexpr int kCores = 1000;

Placement one_host_each(int workers) {
  return {.workers = workers, .hosts = neighbours_on_hosts(workers, workers)};
}

void write_file(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

/// Two workers whose local batch grows from 4 to 8 and 20, looked at after the second round and the
/// last one by 30 of 60 samples each. A local step takes 0.5, 0.8 and 2 seconds.
fs::path write_recorded(const ScratchFolder& scratch) {
  const fs::path folder = scratch.path() / "run";
  fs::create_directories(folder);
  write_file(folder / "experiment.yaml",
             "experiment: by hand\nworkers: 2\nmax_samples: 104\n"
             "dataset: {name: synthetic, train_samples: 40, test_samples: 60}\n"
             "model: {name: softmax_regression}\nlearning_rate: {peak: 0.01}\n"
             "sync_interval: {H: 2}\nbatch_size: {initial: 4, max: 20}\n"
             "batch_size_controller: {name: fixed}\n");
  write_file(folder / "rounds.csv",
             "round,samples,sync_interval,local_batch_size\n"
             "1,16,2,4\n2,32,2,4\n3,64,2,8\n4,104,1,20\n");
  write_file(folder / "evaluations.csv", "round,samples\n2,32\n4,104\n");
  write_file(folder / "timing.csv",
             "round,total_seconds,data_seconds,gradient_seconds,optimizer_seconds,waiting_seconds\n"
             "1,9,0.1,0.4,0.2,0.1\n2,9,0.1,0.9,0.2,0\n3,9,0.2,1.1,0,0.3\n4,9,0,2,0,0\n");
  return folder;
}

/// Runs an experiment with one rank on each host, and returns the folder of its results.
fs::path run_on_hosts(const RunRequest& asked, int hosts) {
  fs::path folder;
  run_simulated_ranks(neighbours_on_hosts(hosts, hosts), [&](ProcessGroup& processes) {
    const RunResult result = run_experiment(asked, processes, {}, [] {});
    if (processes.rank() == 0) folder = result.folder;
  });
  return folder;
}

}  // namespace

TEST_CASE("the seconds of a recorded run, by hand") {
  const ScratchFolder scratch;
  const Recording recording = read_recording(write_recorded(scratch), one_host_each, kCores);
  REQUIRE(recording.run.speed);
  // With waiting: (0.8 + 1.2)/4 steps, 1.6/2 and 2/1.
  CHECK(recording.run.speed->measured().at(4) == doctest::Approx(0.5));
  CHECK(recording.run.speed->measured().at(8) == doctest::Approx(0.8));
  CHECK(recording.run.speed->measured().at(20) == doctest::Approx(2));

  // Bytes take no time here. A round waits three times in its average and once for numbers, an
  // evaluation twice, the final model once.
  const Replay slow =
      replay_run(recording, *recording.run.speed, {.bandwidth = 1e15, .latency = 0.25});
  REQUIRE(slow.rounds.size() == 4);
  const std::vector<double> compute{1, 1, 1.6, 2}, communication{1, 1.5, 1, 1.5},
      evaluation{0, 1, 0, 1}, ends{2, 5.5, 8.1, 12.6};
  for (std::size_t i = 0; i < 4; ++i) {
    CAPTURE(i);
    const RunCost& cost = slow.rounds[i].cost;
    CHECK(cost.compute_seconds == doctest::Approx(compute[i]));
    CHECK(cost.communication_seconds == doctest::Approx(communication[i]));
    // 30 samples, at a third of the cost of training at the 10 per second of b = 20.
    CHECK(cost.evaluation_seconds == doctest::Approx(evaluation[i]));
    CHECK(slow.rounds[i].end_seconds == doctest::Approx(ends[i]));
  }
  CHECK(slow.total.seconds() == doctest::Approx(12.6 + 0.25));
  CHECK(slow.total.count.local_steps == 7);
  CHECK(slow.average_local_batch_size() == doctest::Approx(52.0 / 7));

  // Waits take no time here: 3073 x 10 parameters, halves of which go to the other host and back.
  const Replay narrow =
      replay_run(recording, *recording.run.speed, {.bandwidth = 1000, .latency = 0});
  const ExpectedTraffic& sent = narrow.rounds[0].cost.traffic;
  CHECK(sent.ledger[Traffic::kParameters].bytes == 2 * 30730 * 4);
  CHECK(narrow.rounds[0].cost.communication_seconds ==
        doctest::Approx(static_cast<double>(sent.busiest_link()) / 1000));
  CHECK(sent.busiest_link() == 30730 * 4 + sent.ledger[Traffic::kControl].bytes / 2 +
                                   sent.ledger[Traffic::kStatistics].bytes / 2);
}

TEST_CASE("the speed between two measured local batches, and beyond them") {
  const StepSeconds speed(std::map<int, double>{{4, 0.5}, {20, 2}});
  CHECK(speed.samples_per_second(4) == doctest::Approx(8));
  CHECK(speed.samples_per_second(8) == doctest::Approx(8 / 0.875));  // a quarter of the way
  CHECK(speed.samples_per_second(20) == doctest::Approx(10));
  CHECK(speed.samples_per_second(40) == doctest::Approx(10));
  CHECK(speed.samples_per_second(1) == doctest::Approx(8));
  CHECK(speed.samples_per_second_of_largest() == doctest::Approx(10));
  CHECK(StepSeconds(7).samples_per_second(4) == 7);
  CHECK(StepSeconds(7).samples_per_second_of_largest() == 7);
}

TEST_CASE("the replay of a run with a constant batch is the plan of its settings") {
  for (const std::string audit : {"audit.every_rounds=0", "audit={every_rounds: 4, samples: 6}"}) {
    const ScratchFolder scratch;
    const std::vector<std::string> settings{
        "workers=2", "batch_size_controller={name: norm_test, eta: 1000, every_rounds: 3}", audit};
    const RunRequest asked = request(scratch, tiny_experiment(), "out", settings);
    const fs::path folder = run_alone(asked).folder;
    const Recording recording = read_recording(folder, one_host_each, kCores);
    const Machine machine{.placement = one_host_each(2), .cores_of_host = kCores, .speed = 100};
    const Replay replay = replay_run(recording, StepSeconds(100), machine.interconnect);
    const RunCost planned = forecast_run(recording.experiment, machine).cost;
    CHECK(replay.total.count.rounds == planned.count.rounds);
    CHECK(replay.total.count.local_steps == planned.count.local_steps);
    CHECK(replay.total.count.measured == planned.count.measured);
    CHECK(replay.total.count.audited == planned.count.audited);
    CHECK(replay.total.count.evaluations == planned.count.evaluations);
    CHECK(replay.total.traffic.ledger == planned.traffic.ledger);
    CHECK(replay.total.compute_seconds == doctest::Approx(planned.compute_seconds));
    CHECK(replay.total.communication_seconds == doctest::Approx(planned.communication_seconds));
    CHECK(replay.total.evaluation_seconds == doctest::Approx(planned.evaluation_seconds));
  }
}

TEST_CASE("rounds that more workers take are those of a run of so many") {
  const ScratchFolder scratch;
  const auto run_of = [&scratch](int workers) {
    return run_alone(request(scratch, tiny_experiment(), fmt::format("of {}", workers),
                             {fmt::format("workers={}", workers),
                              fmt::format("max_samples={}", 48 * workers),
                              "batch_size_controller={name: fixed}", "audit.every_rounds=0",
                              fmt::format("evaluation.every_samples={}", 24 * workers)}))
        .folder;
  };
  const Recording two = read_recording(run_of(2), one_host_each, kCores, 4);
  const Recording four = read_recording(run_of(4), one_host_each, kCores);
  CHECK(two.recorded_workers == 2);
  const Replay more = replay_run(two, StepSeconds(100), {});
  const Replay real = replay_run(four, StepSeconds(100), {});
  CHECK(more.workers == 4);
  CHECK(more.hosts == 4);
  REQUIRE(more.rounds.size() == real.rounds.size());
  CHECK(more.total.count.samples == real.total.count.samples);
  CHECK(more.total.traffic.ledger == real.total.traffic.ledger);
  CHECK(more.total.compute_seconds == doctest::Approx(real.total.compute_seconds));
  CHECK(more.total.communication_seconds == doctest::Approx(real.total.communication_seconds));
  CHECK(more.total.evaluation_seconds == doctest::Approx(real.total.evaluation_seconds));
}

TEST_CASE(
    "more workers look at gradients in the rounds in which the run did: not at the largest b") {
  const ScratchFolder scratch;
  const fs::path folder =
      run_alone(request(scratch, tiny_experiment(), "out",
                        {"workers=2", "batch_size={initial: 2, max: 4, micro_batch: 2}",
                         "batch_size_controller={name: norm_test, eta: 0.001}", "max_samples=800",
                         "evaluation.every_samples=400", "audit.every_rounds=0"}))
          .folder;
  const auto replay_of = [&folder](int workers) {
    return replay_run(read_recording(folder, one_host_each, kCores, workers), StepSeconds(100), {})
        .total.count;
  };
  CHECK(replay_of(2).rounds > 10);
  CHECK(replay_of(2).measured == 1);
  CHECK(replay_of(64).measured == 1);
}

TEST_CASE("a replay on the hosts of a run sends what the run has sent, though its batch grew") {
  for (const std::string stream : {"threads_per_worker=1", "streaming={fragments: 3, delay: 1}"}) {
    CAPTURE(stream);
    const ScratchFolder scratch;
    const fs::path folder = run_on_hosts(request(scratch, tiny_experiment(), "out", {stream}), 3);
    const Recording recording = read_recording(folder, one_host_each, kCores);
    CHECK(recording.run.rounds.back().local_batch_size !=
          recording.run.rounds.front().local_batch_size);
    const Replay replay = replay_run(recording, StepSeconds(100), {});
    const Ledger sent = read_measured_run(folder).communication;
    for (std::size_t kind = 0; kind < kTrafficKinds; ++kind) {
      CAPTURE(kTrafficNames[kind]);
      CHECK(replay.total.traffic.ledger.entries[kind].bytes == sent.entries[kind].bytes);
      CHECK(replay.total.traffic.ledger.entries[kind].messages == sent.entries[kind].messages);
    }
  }
}

TEST_CASE("a replay does not go far beyond what was measured unless it is told to") {
  const ScratchFolder scratch;
  const fs::path folder = write_recorded(scratch);
  const Recording recording = read_recording(folder, one_host_each, kCores);
  const auto refused = [&](const StepSeconds& speed, const Interconnect& links) {
    CHECK(replay_run(recording, speed, links, Extrapolate::kAnyhow).total.seconds() > 0);
    return input_error([&] { replay_run(recording, speed, links); });
  };
  CHECK(contains(refused(StepSeconds(std::map<int, double>{{1, 1}, {4, 1}}), {}),
                 folder.string() +
                     ": the speed was measured with local batches of 1 to 4, found 20 in round 4"));
  CHECK(contains(refused(StepSeconds(std::map<int, double>{{17, 1}}), {}), "found 4 in round 1"));
  replay_run(recording, StepSeconds(std::map<int, double>{{5, 1}, {16, 1}}), {});
  Interconnect links{.measured = Interconnect::Source{"net.yaml", 1, 30729}};
  CHECK(contains(refused(StepSeconds(1), links), "net.yaml: was measured up to 30 KiB"));
  links.measured->bytes = 30730;  // an average sends 4 x 30730
  replay_run(recording, StepSeconds(1), links);
}

TEST_CASE("the rounds of replays as CSV and JSON") {
  const ScratchFolder scratch;
  const Recording recording = read_recording(write_recorded(scratch), one_host_each, kCores);
  const Replay replay = replay_run(recording, *recording.run.speed, {.latency = 0.25});
  const std::string csv = replays_csv({replay, replay});
  CHECK(std::ranges::count(csv, '\n') == 1 + 2 * 4);
  CHECK(contains(csv, replay.folder + ",4,104,1,20,0,1,"));
  const auto json = nlohmann::json::parse(replays_json({replay}, {.latency = 0.25}, "by hand"));
  CHECK(json.at("latency_seconds") == 0.25);
  CHECK(json.at("network_file").is_null());
  const auto& run = json.at("runs").at(0);
  CHECK(run.at("predicted_seconds") == replay.total.seconds());
  CHECK(run.at("each_round").size() == 4);
  CHECK(run.at("each_round").at(2).at("predicted_end_seconds") == replay.rounds[2].end_seconds);
}

TEST_CASE("the last round of a run that is under way may not have been timed yet") {
  const ScratchFolder scratch;
  const fs::path folder = write_recorded(scratch);
  write_file(folder / "timing.csv",
             "round,data_seconds,gradient_seconds,optimizer_seconds\n"
             "1,0.1,0.4,0.3\n2,0.1,0.9,0.2\n3,0.2,1.1,0.3\n");
  const RecordedRun run = read_recorded_run(folder);
  CHECK(run.rounds.size() == 4);
  REQUIRE(run.speed);
  CHECK(run.speed->measured().size() == 2);
  CHECK(run.speed->measured().at(4) == doctest::Approx(0.5));
  CHECK(run.speed->measured().at(8) == doctest::Approx(0.8));
  // One that has ended has lost it.
  write_file(folder / "summary.json", R"({"outcome": "finished"})");
  CHECK(contains(input_error([&] { read_recorded_run(folder); }), "has other rounds than"));
  fs::remove(folder / "summary.json");
  const std::string begun = "round,samples,sync_interval,local_batch_size\n1,16,2,4\n";
  write_file(folder / "rounds.csv", begun);
  write_file(folder / "timing.csv", "round,data_seconds,gradient_seconds,optimizer_seconds\n");
  CHECK_FALSE(read_recorded_run(folder).speed);
  write_file(folder / "rounds.csv", begun + "2,32,2,4\n");
  CHECK(contains(input_error([&] { read_recorded_run(folder); }), "has other rounds than"));
}

TEST_CASE("files of a recorded run that cannot be used are refused by name and line") {
  const ScratchFolder scratch;
  const fs::path folder = write_recorded(scratch);
  const auto refused = [&] { return input_error([&] { read_recorded_run(folder); }); };
  write_file(folder / "timing.csv",
             "round,data_seconds,gradient_seconds,optimizer_seconds\n1,1,1,1\n");
  CHECK(contains(refused(), "timing.csv: has other rounds than rounds.csv"));
  fs::remove(folder / "timing.csv");
  CHECK_FALSE(read_recorded_run(folder).speed);
  write_file(folder / "rounds.csv", "round,samples,sync_interval,local_batch_size\n1,16,2,0\n");
  CHECK(contains(refused(), "rounds.csv:2: local_batch_size: found 0, expected a whole number"));
  write_file(folder / "rounds.csv", "round,samples,sync_interval,local_batch_size\n1,16,1.5,4\n");
  CHECK(contains(refused(), "rounds.csv:2: sync_interval: found 1.5"));
  write_file(folder / "rounds.csv", "round,samples,sync_interval,local_batch_size\n");
  CHECK(contains(refused(), "rounds.csv: holds no round"));
  fs::remove(folder / "evaluations.csv");
  CHECK(contains(refused(), "evaluations.csv"));
}

}  // namespace localbatch
