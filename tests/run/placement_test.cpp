#include <doctest/doctest.h>

#include <cmath>

#include "comm/agreement.h"
#include "comm/thread_process_group.h"
#include "run/run_fixtures.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

/// The same experiment on `num_ranks` simulated ranks; the folder with its results.
fs::path run_on_ranks(int num_ranks, const RunRequest& request) {
  fs::path folder;
  run_simulated_ranks(num_ranks, [&](ProcessGroup& processes) {
    const RunResult result = run_experiment(request, processes, {}, [] {});
    check(result.outcome == Outcome::kFinished, "every rank learns how the run ended");
    if (processes.rank() == 0) folder = result.folder;
  });
  return folder;
}

/// How the ranks that get these requests end: "training", "failed elsewhere", or the mistake.
std::vector<std::string> outcomes_of(const std::vector<RunRequest>& of_ranks) {
  std::vector<std::string> outcomes(of_ranks.size());
  run_simulated_ranks(static_cast<int>(of_ranks.size()), [&](ProcessGroup& processes) {
    std::string& outcome = outcomes[processes.rank()];
    try {
      run_experiment(of_ranks[processes.rank()], processes, {}, [&] { outcome = "training"; });
    } catch (const InputError& error) {
      outcome = error.what();
    } catch (const FailedElsewhere&) {
      outcome = "failed elsewhere";
    }
  });
  return outcomes;
}

/// Compares what must not depend on where workers run.
void check_same_results(const fs::path& a, const fs::path& b) {
  for (const char* const name : {"rounds.csv", "evaluations.csv", "final_parameters.f32"}) {
    CAPTURE(name);
    CHECK_FALSE(text_of(a / name).empty());
    CHECK(text_of(a / name) == text_of(b / name));
  }
}

}  // namespace

TEST_CASE("two runs of one experiment leave the same bytes") {
  const ScratchFolder scratch;
  const RunResult once = run_alone(request(scratch, tiny_experiment(), "once"));
  const RunResult again = run_alone(request(scratch, tiny_experiment(), "again"));
  check_same_results(once.folder, again.folder);
  CHECK(text_of(once.folder / "experiment.yaml") == text_of(again.folder / "experiment.yaml"));
  CHECK(once.folder.filename() == again.folder.filename());
}

TEST_CASE("another seed leaves other bytes") {
  const ScratchFolder scratch;
  const RunResult once = run_alone(request(scratch, tiny_experiment(), "once"));
  const RunResult other = run_alone(request(scratch, tiny_experiment(), "other", {"seed=4"}));
  for (const char* const name : {"rounds.csv", "evaluations.csv", "final_parameters.f32"})
    CHECK(text_of(once.folder / name) != text_of(other.folder / name));
}

TEST_CASE("a run's own record of its settings gives the same run") {
  const ScratchFolder scratch;
  const RunResult once = run_alone(request(scratch, tiny_experiment(), "once"));
  const RunResult again =
      run_alone(request(scratch, text_of(once.folder / "experiment.yaml"), "again"));
  check_same_results(once.folder, again.folder);
  CHECK(text_of(once.folder / "experiment.yaml") == text_of(again.folder / "experiment.yaml"));
}

TEST_CASE("a stream of one fragment without delay leaves the bytes of rounds that stand still") {
  const ScratchFolder scratch;
  for (const std::string payload : {"f32", "int8"}) {
    const auto folder_of = [&](const std::string& stream, int ranks) {
      const std::string out = fmt::format("{} {} {}", payload, stream, ranks);
      return run_on_ranks(ranks, request(scratch, tiny_experiment(), out,
                                         {"outer_optimizer={name: nesterov}",
                                          "communication.parameters=" + payload, stream}));
    };
    const fs::path still = folder_of("threads_per_worker=1", 1);
    check_same_results(still, folder_of("streaming={fragments: 1, delay: 0, mix: 1}", 1));
    check_same_results(still, folder_of("streaming.delay=0", 2));
  }
}

TEST_CASE("results do not depend on the number of ranks, nor on what parameters travel as") {
  const ScratchFolder scratch;
  for (const std::string payload : {"f32", "bf16", "int8", "int4", "top_k"}) {
    const std::vector<std::string> settings{"communication.parameters=" + payload};
    const RunResult alone =
        run_alone(request(scratch, tiny_experiment(), "one" + payload, settings));
    for (const int num_ranks : {1, 2, 3}) {
      CAPTURE(num_ranks);
      const fs::path folder = run_on_ranks(
          num_ranks,
          request(scratch, tiny_experiment(), payload + std::to_string(num_ranks), settings));
      check_same_results(alone.folder, folder);
      CHECK(text_of(alone.folder / "experiment.yaml") == text_of(folder / "experiment.yaml"));
    }
  }
}

TEST_CASE("a mean over no more than the last round is what the run has reached") {
  const ScratchFolder scratch;
  const std::string text = tiny_experiment() + "batch_norm_at_sync: recompute\n";
  const RunResult without = run_alone(request(scratch, text, "without"));
  const RunResult with = run_alone(request(scratch, text, "with", {"evaluation.averaged_over=1"}));
  CHECK(text_of(without.folder / "rounds.csv") == text_of(with.folder / "rounds.csv"));
  const Columns evaluations = read_csv(with.folder / "evaluations.csv");
  CHECK(evaluations.at("test_loss") ==
        read_csv(without.folder / "evaluations.csv").at("test_loss"));
  CHECK(evaluations.at("averaged_test_loss") == evaluations.at("test_loss"));
  CHECK(evaluations.at("averaged_test_accuracy") == evaluations.at("test_accuracy"));
  const RunResult slow =
      run_alone(request(scratch, text, "slow", {"evaluation.averaged_over=1000"}));
  CHECK(text_of(without.folder / "rounds.csv") == text_of(slow.folder / "rounds.csv"));
  const Columns behind = read_csv(slow.folder / "evaluations.csv");
  CHECK(behind.at("averaged_test_loss") != behind.at("test_loss"));
}

TEST_CASE("what held-out samples say does not depend on the number of ranks") {
  const ScratchFolder scratch;
  const std::string text = tiny_experiment() + "batch_norm_at_sync: recompute\n";
  const std::vector<std::string> settings{"dataset.validation=37"};
  const RunResult alone = run_alone(request(scratch, text, "alone", settings));
  const Columns evaluations = read_csv(alone.folder / "evaluations.csv");
  // 37 images: an accuracy of k/37 in every row, and a loss that training moves.
  for (const std::string& accuracy : evaluations.at("validation_accuracy")) {
    const double correct = 37 * std::stod(accuracy);
    CHECK(correct == doctest::Approx(std::round(correct)).epsilon(1e-9));
  }
  CHECK(evaluations.at("validation_loss").front() != evaluations.at("validation_loss").back());
  CHECK(evaluations.at("test_images").back() == "61");
  CHECK(std::stod(evaluations.at("epoch").back()) == doctest::Approx(600.0 / (200 - 37)));
  CHECK(alone.last_evaluation.test.validation.value().targets == 37);
  for (const int num_ranks : {2, 3})
    check_same_results(
        alone.folder,
        run_on_ranks(num_ranks, request(scratch, text, std::to_string(num_ranks), settings)));
  const Columns without =
      read_csv(run_alone(request(scratch, text, "without")).folder / "evaluations.csv");
  for (const char* const name : {"validation_loss", "validation_accuracy"})
    for (const std::string& cell : without.at(name)) CHECK(cell.empty());
}

// The OpenMP runtime is not built for the thread sanitizer.
#ifndef __SANITIZE_THREAD__
TEST_CASE("results do not depend on the number of threads of a worker") {
  const ScratchFolder scratch;
  for (const std::string model : {"{name: mlp, hidden_features: 40}", "{name: resnet}"}) {
    CAPTURE(model);
    const std::vector<std::string> settings = {"model=" + model, "max_samples=60",
                                               "batch_size.micro_batch=20", "batch_size.initial=10",
                                               "sync_interval.H=1"};
    const auto with_threads = [&](const std::string& threads) {
      std::vector<std::string> all = settings;
      all.push_back("threads_per_worker=" + threads);
      return run_alone(request(scratch, tiny_experiment(), model.substr(7, 3) + threads, all));
    };
    const RunResult one = with_threads("1");
    for (const char* const threads : {"2", "3"})
      check_same_results(one.folder, with_threads(threads).folder);
  }
}
#endif

TEST_CASE("one rank that cannot start stops all of them, and nothing is left behind") {
  const ScratchFolder scratch;
  for (const int failing : {0, 1, 2}) {
    CAPTURE(failing);
    const RunRequest good = request(scratch, tiny_experiment(), "out");
    const RunRequest bad = request(scratch, tiny_experiment(), "out", {"workers=0"});
    std::vector of_ranks(3, good);
    of_ranks[failing] = bad;
    const std::vector<std::string> outcomes = outcomes_of(of_ranks);
    for (int rank = 0; rank < 3; ++rank)
      CHECK(outcomes[rank] == (rank == failing
                                   ? "--set workers=0: workers: found 0, allowed is 1 .. 65536"
                                   : "failed elsewhere"));
    CHECK_FALSE(fs::exists(scratch.path() / "out"));
  }
}

TEST_CASE("ranks that differ in anything that is recorded are refused before the first round") {
  const ScratchFolder scratch;
  const RunRequest good = request(scratch, tiny_experiment(), "out");
  std::vector<std::pair<RunRequest, std::string>> others;
  const auto differs = [&](const std::vector<std::string>& settings, const std::string& message) {
    others.emplace_back(good, message);
    others.back().first.settings = settings;
  };
  differs({"seed=9"}, "rank 2: seed: found '9', expected '3' as on rank 0");
  differs({"inner_optimizer.momentum=0.5"}, "rank 2: inner_optimizer.momentum: found '0.5', ");
  differs({"dataset.generator_seed=4"}, "rank 2: dataset.generator_seed: found '4', ");
  differs({"batch_size_controller={name: fixed}"}, "rank 2: batch_size_controller");
  others.emplace_back(good, "rank 2: --force: found 'true', expected 'false' as on rank 0");
  others.back().first.force = true;
  others.emplace_back(good, "rank 2: --checkpoint-rounds: found '3', ");
  others.back().first.checkpoints.every_rounds = 3;
  others.emplace_back(good, "rank 2: folder of the results: found '");
  others.back().first.output = scratch.path() / "elsewhere";
  for (const auto& pair : others) {
    const std::string& message = pair.second;
    CAPTURE(message);
    const std::vector<std::string> outcomes = outcomes_of({good, good, pair.first});
    CHECK(outcomes[0] == "failed elsewhere");
    CHECK(outcomes[1] == "failed elsewhere");
    CHECK_MESSAGE(outcomes[2].starts_with(message), outcomes[2]);
    CHECK_FALSE(fs::exists(scratch.path() / "out"));
  }
}

TEST_CASE("one rank that cannot start leaves older results alone, also with force") {
  const ScratchFolder scratch;
  RunRequest good = request(scratch, tiny_experiment(), "out");
  const fs::path folder = run_alone(good).folder;
  good.force = true;
  const RunRequest bad = request(scratch, tiny_experiment(), "out", {"workers=0"});
  run_simulated_ranks(2, [&](ProcessGroup& processes) {
    CHECK_THROWS(run_experiment(processes.rank() == 1 ? bad : good, processes, {}, [] {}));
  });
  CHECK(fs::exists(folder / "final_parameters.f32"));
}

TEST_CASE("one mistake that all ranks see is told by one") {
  const ScratchFolder scratch;
  const RunRequest bad =
      request(scratch, tiny_experiment(), "out", {"workers=1", "batch_size_controller={}"});
  const std::vector<std::string> outcomes = outcomes_of({bad, bad, bad});
  CHECK(contains(outcomes[0], "workers"));
  CHECK(outcomes[1] == "failed elsewhere");
  CHECK(outcomes[2] == "failed elsewhere");
  CHECK_FALSE(fs::exists(scratch.path() / "out"));
}

}  // namespace localbatch
