#include <doctest/doctest.h>

#include <cmath>

#include "comm/thread_process_group.h"
#include "experiment/fixtures.h"
#include "run/run_fixtures.h"

// Experiments on objectives whose theory is known, from their file to their curves.

namespace localbatch {

namespace fs = std::filesystem;

namespace {

std::string tiny_quadratic() {
  return "experiment: tiny\n"
         "workers: 3\n"
         "max_samples: 720\n"
         "problem: {name: quadratic, dimension: 5, noise_variance: 1}\n"
         "learning_rate: {peak: 0.2}\n"
         "sync_interval: {H: 3}\n"
         "batch_size: {initial: 4, max: 64}\n"
         "batch_size_controller: {name: norm_test}\n"
         "evaluation: {every_samples: 1}\n";
}

/// With few samples, and generated images where images are asked for.
RunRequest short_request(const ScratchFolder& scratch, const fs::path& file,
                         const std::string& output) {
  const std::string text = text_of(file);
  std::vector<std::string> settings = {"max_samples=400"};
  if (contains(text, "dataset:"))
    settings.emplace_back("dataset={name: synthetic, train_samples: 300, test_samples: 1}");
  if (contains(text, "dataset:")) settings.emplace_back("problem.pool=8");
  if (contains(text, "generated_logistic_regression")) settings.emplace_back("problem.samples=500");
  return request(scratch, text, output, settings);
}

}  // namespace

TEST_CASE("a problem reads no key of a network") {
  REQUIRE_NOTHROW(read_text(tiny_quadratic()));
  for (const std::string& line :
       {std::string("dataset: {name: synthetic}"), std::string("augmentation: {flip: true}"),
        std::string("model: {name: mlp}"), std::string("precision: f32"),
        std::string("convolution: auto"), std::string("kernels: ''"),
        std::string("batch_norm_at_sync: local")}) {
    const std::string message = text_error(tiny_quadratic() + line + "\n");
    CHECK_MESSAGE(one_line_with(message, {"test.yaml:10:1: ", "unknown key"}), message);
  }
  const std::string small = "max_samples: 9\nlearning_rate: {peak: 1}\n";
  CHECK(one_line_with(text_error(small + "problem: {name: cosine}\nbatch_size: {micro_batch: 4}\n"),
                      {"batch_size.micro_batch: unknown key"}));
  CHECK(one_line_with(text_error(small + "problem: {name: cosine, smallest_eigenvalue: 1}\n"),
                      {"problem.smallest_eigenvalue: unknown key"}));
  CHECK(one_line_with(text_error(small + "problem: {name: cosin}\n"),
                      {"problem.name: found 'cosin'", "did you mean 'cosine'?"}));
  CHECK(one_line_with(text_error(small + "problem: {name: logistic_regression}\n"),
                      {"dataset.name: missing"}));
}

TEST_CASE("a network's settings say that it is one, and nothing else of problems") {
  const Experiment read = read_text(tiny_experiment());
  CHECK(read.task->has_network());
  const std::string yaml = resolved_yaml(read.resolved);
  CHECK(contains(yaml, "name: network"));
  CHECK_FALSE(contains(yaml, "trace"));
  const std::string quadratic = resolved_yaml(read_text(tiny_quadratic()).resolved);
  CHECK(contains(quadratic, "name: quadratic"));
  CHECK_FALSE(contains(quadratic, "dataset"));
  CHECK_FALSE(contains(quadratic, "micro_batch"));
}

TEST_CASE("evaluations of a problem measure its gaps, those of a network do not") {
  const ScratchFolder scratch;
  const RunResult result = run_alone(
      request(scratch, tiny_quadratic(), "out", {"problem.trace=true", "max_samples=3600"}));
  const Columns rounds = read_csv(result.folder / "rounds.csv"),
                evaluations = read_csv(result.folder / "evaluations.csv");
  CHECK(evaluations.at("round") == rounds.at("round"));
  CHECK(std::stod(rounds.at("local_batch_size").back()) > 4);
  CHECK(evaluations.at("suboptimality") == evaluations.at("test_loss"));
  CHECK(std::stod(evaluations.at("suboptimality").back()) < 0.2);
  for (const char* const name : {"squared_distance", "squared_gradient_norm", "mean_suboptimality",
                                 "mean_squared_gradient_norm"}) {
    CAPTURE(name);
    CHECK(std::stod(evaluations.at(name).back()) > 0);
  }
  CHECK(evaluations.at("test_accuracy").back().empty());
  CHECK(contains(text_of(result.folder / "manifest.json"), "\"smoothness\": 1.0"));

  const RunResult network = run_alone(request(scratch, tiny_experiment(), "network"));
  CHECK(read_csv(network.folder / "evaluations.csv").at("suboptimality").back().empty());
  CHECK(contains(text_of(network.folder / "manifest.json"), "\"problem\": null"));
}

TEST_CASE("every theory file leaves the same bytes on one rank and on three") {
  const ScratchFolder scratch;
  int files = 0;
  for (const auto& entry :
       fs::directory_iterator(fs::path(LOCALBATCH_SOURCE_DIR) / "experiments" / "theory")) {
    if (entry.path().extension() != ".yaml") continue;
    CAPTURE(entry.path().filename().string());
    const std::string name = entry.path().stem().string();
    const fs::path alone = run_alone(short_request(scratch, entry.path(), name + "1")).folder;
    const RunRequest spread_request = short_request(scratch, entry.path(), name + "3");
    fs::path spread;
    run_simulated_ranks(3, [&](ProcessGroup& processes) {
      const RunResult result = run_experiment(spread_request, processes, {}, [] {});
      if (processes.rank() == 0) spread = result.folder;
    });
    for (const char* const file : {"rounds.csv", "evaluations.csv", "final_parameters.f32"}) {
      CAPTURE(file);
      CHECK_FALSE(text_of(alone / file).empty());
      CHECK(text_of(alone / file) == text_of(spread / file));
    }
    ++files;
  }
  CHECK(files >= 10);
}

TEST_CASE("a problem has no test set that an evaluation could look at a part of") {
  const ScratchFolder scratch;
  const std::string text =
      "max_samples: 9\nlearning_rate: {peak: 1}\nproblem: {name: quadratic}\n"
      "evaluation: {max_samples: 5}\n";
  CHECK(one_line_with(input_error([&] { run_alone(request(scratch, text, "out")); }),
                      {":4:27: evaluation.max_samples: found 5, which is for problem: network"}));
  CHECK_FALSE(fs::exists(scratch.path() / "out"));
}

TEST_CASE("problems refuse shares, and separable images, before anything is written") {
  const ScratchFolder scratch;
  const auto error = [&](const std::string& dataset, const std::string& problem) {
    return input_error([&] {
      run_alone(request(scratch,
                        "max_samples: 9\nlearning_rate: {peak: 1}\nworkers: 2\n"
                        "dataset: {name: synthetic, " +
                            dataset +
                            ", test_samples: 1}\n"
                            "problem: {name: logistic_regression, " +
                            problem + "}\n",
                        "out"));
    });
  };
  CHECK(error("train_samples: 40, partition: by_class", "ridge: 1") ==
        "dataset.partition: the workers of a problem draw from all its samples, allowed here is "
        "iid");
  CHECK(contains(error("train_samples: 40", "ridge: 0"), "hyperplane separates"));
  CHECK_FALSE(fs::exists(scratch.path() / "out"));
}

}  // namespace localbatch
