#include <doctest/doctest.h>

#include <sstream>

#include "run/method_fixtures.h"
#include "run/resume_fixtures.h"

// Whatever is chosen in an experiment file, a run that was stopped and goes on elsewhere leaves the
// bytes of one that was not. What is newly registered joins by its file in experiments/methods or
// experiments/theory. Hundreds of runs, about bytes: resume_test.cpp is what shows the thread
// sanitizer what threads do there.
#ifndef __SANITIZE_THREAD__

namespace localbatch {

namespace fs = std::filesystem;

namespace {

/// Runs an experiment as a whole, and again with two interruptions and on other ranks each time.
void check_interrupted(const ScratchFolder& scratch, const fs::path& file,
                       const std::vector<std::string>& settings) {
  const auto request_for = [&](const std::string& output) {
    return RunRequest{.file = file,
                      .settings = settings,
                      .output = scratch.path() / (file.stem().string() + output),
                      .force = true,
                      .command_line = {}};
  };
  const RunResult whole = run_stretch(request_for("whole"));
  REQUIRE(whole.rounds >= 4);
  RunRequest parts = request_for("parts");
  CHECK(run_stretch(parts, {.ranks = 1, .rounds = 1}).outcome == Outcome::kStopped);
  parts.force = false;
  CHECK(run_stretch(parts, {.ranks = 3, .rounds = 2}).outcome == Outcome::kStopped);
  const RunResult last = run_stretch(parts, {.ranks = 2});
  CHECK(last.rounds == whole.rounds);
  check_same_run(whole.folder, last.folder);
}

std::vector<fs::path> files_in(const std::string& folder) {
  std::vector<fs::path> files;
  for (const fs::path& path : experiment_files())
    if (path.parent_path().filename() == folder) files.push_back(path);
  return files;
}

Experiment read_with(const fs::path& path, const std::vector<std::string>& settings) {
  return read_experiment(Options(read_experiment_file(path, settings)));
}

/// A small network with batch norm, momentum, and a test on moving averages in every round.
std::string normalized_experiment() {
  return "experiment: normalized\n"
         "workers: 3\n"
         "max_samples: 90\n"
         "dataset: {name: synthetic, train_samples: 40, test_samples: 8}\n"
         "model: {name: resnet}\n"
         "inner_optimizer: {name: sgd, momentum: 0.9}\n"
         "learning_rate: {name: constant, peak: 0.02}\n"
         "sync_interval: {name: constant, H: 2}\n"
         "batch_size: {initial: 3, max: 4, micro_batch: 2}\n"
         "batch_size_controller: {name: norm_test, eta: 1000}\n"
         "gradient_statistics: {moving_average: 0.5}\n"
         "batch_norm_batches: 2\n"
         "evaluation: {every_samples: 36}\n";
}

/// "average | keep | reset"
std::vector<std::string> alternatives(const Declaration& choice) {
  std::vector<std::string> names;
  std::istringstream words(choice.allowed);
  for (std::string word; words >> word;)
    if (word != "|") names.push_back(word);
  return names;
}

}  // namespace

TEST_CASE("an interruption changes nothing, whatever the methods") {
  const ScratchFolder scratch;
  std::set<std::string> resumed;
  const auto check_file = [&](const fs::path& file, const std::vector<std::string>& settings) {
    CAPTURE(file.string());
    check_interrupted(scratch, file, settings);
    resumed.merge(methods_of(read_with(file, settings)));
  };
  for (const fs::path& file : files_in("methods"))
    check_file(file, small_network_settings(file, 5000));
  for (const fs::path& file : files_in("theory")) {
    std::vector<std::string> settings{"workers=3", "max_samples=1000", "batch_size.initial=2",
                                      "evaluation.every_samples=50"};
    if (contains(text_of(file), "dataset:"))
      settings.emplace_back("dataset={name: synthetic, train_samples: 100, test_samples: 10}");
    check_file(file, settings);
  }
  for (const std::string& method : registered_methods())
    CHECK_MESSAGE(resumed.contains(method), method);
}

TEST_CASE("an interruption changes nothing, whatever happens to state at a synchronization") {
  const ScratchFolder scratch;
  const fs::path file = scratch.path() / "normalized.yaml";
  std::ofstream(file) << normalized_experiment();
  int runs = 0;
  const auto check_choice = [&](const Declaration& choice, const std::string& key) {
    for (const std::string& name : alternatives(choice)) {
      if (name == "samples") continue;  // which batch norm couples
      const std::string setting = key + "=" + name;
      CAPTURE(setting);
      check_interrupted(scratch, file, {setting});
      ++runs;
    }
  };
  for (const Declaration& part : read_with(file, {}).resolved) {
    if (part.key == "batch_norm_at_sync") check_choice(part, part.key);
    for (const Declaration& key : part.parts)
      if (key.key == "at_sync" || (part.key == "gradient_statistics" && key.key == "chunks"))
        check_choice(key, part.key + "." + key.key);
  }
  CHECK(runs >= 4 + 3 + 3);
}

}  // namespace localbatch

#endif
