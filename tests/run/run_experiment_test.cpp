#include "run/run_experiment.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <thread>

#include "data/dataset.h"
#include "data/synthetic.h"
#include "experiment/fixtures.h"
#include "run/run_fixtures.h"

namespace localbatch {

namespace fs = std::filesystem;

TEST_CASE("a run leaves its settings, curves, final parameters and records") {
  const ScratchFolder scratch;
  const RunResult result = run_alone(request(scratch, tiny_experiment(), "out"));
  CHECK(result.outcome == Outcome::kFinished);
  CHECK(result.folder.parent_path() == scratch.path() / "out" / "tiny");
  for (const char* const name :
       {"experiment.yaml", "rounds.csv", "evaluations.csv", "timing.csv", "summary.json",
        "manifest.json", "final_parameters.f32", "final_parameters.csv"}) {
    CAPTURE(name);
    CHECK(fs::is_regular_file(result.folder / name));
  }
  const Columns rounds = read_csv(result.folder / "rounds.csv");
  CHECK(rounds.at("round").size() == static_cast<std::size_t>(result.rounds));
  CHECK(read_csv(result.folder / "timing.csv").at("round") == rounds.at("round"));
  CHECK(result.rounds > 5);
  CHECK(result.first_local_batch_size == 4);
  CHECK(std::to_string(result.last_local_batch_size) == rounds.at("local_batch_size").back());
  CHECK(contains(text_of(result.folder / "summary.json"), "\"outcome\": \"finished\""));
  CHECK(contains(text_of(result.folder / "summary.json"), "\"schema_version\": 1"));
}

TEST_CASE("the rounds of a run add up to its samples, and each follows from the one before") {
  const ScratchFolder scratch;
  const RunResult result = run_alone(request(scratch, tiny_experiment(), "out"));
  const Columns rounds = read_csv(result.folder / "rounds.csv");
  const std::vector<long> samples = integers(rounds.at("samples")),
                          b = integers(rounds.at("local_batch_size")),
                          next = integers(rounds.at("next_local_batch_size")),
                          global = integers(rounds.at("global_batch_size")),
                          H = integers(rounds.at("sync_interval"));
  CHECK(b.front() == 4);
  CHECK(b.back() > b.front());
  CHECK(samples.back() >= 600);
  CHECK(samples.back() < 600 + 3 * 2);
  for (std::size_t k = 0; k < samples.size(); ++k) {
    CAPTURE(k);
    CHECK(rounds.at("round")[k] == std::to_string(k + 1));
    CHECK(global[k] == 3 * b[k]);
    const long before = k == 0 ? 0 : samples[k - 1];
    CHECK(samples[k] - before == global[k] * H[k]);
    CHECK(before < 600);
    // The last two rounds share what is left of the budget.
    if (k > 0) CHECK(b[k] <= next[k - 1]);
    if (k > 0 && k + 2 < samples.size()) CHECK(b[k] == next[k - 1]);
    if (k + 1 < samples.size()) CHECK(H[k] == 2);
    CHECK(std::stod(rounds.at("epoch")[k]) == static_cast<double>(samples[k]) / 200);
    CHECK(next[k] <= 24);
    CHECK(next[k] >= b[k]);
    // What the row says of the test agrees with what was done.
    if (rounds.at("reason")[k] == "grow")
      CHECK(std::ceil(std::stod(rounds.at("wanted_local_batch_size")[k])) == next[k]);
    if (rounds.at("reason")[k] == "pass")
      CHECK(std::stod(rounds.at("test_statistic")[k]) <= std::stod(rounds.at("test_threshold")[k]));
  }
  CHECK(samples.back() >= 600);
  CHECK(result.samples == samples.back());
}

TEST_CASE(
    "bytes of the method: parameters, averaged momentum, and gradients when they are tested") {
  const ScratchFolder scratch;
  const RunResult result = run_alone(request(scratch, tiny_experiment(), "out"));
  const long parameters = 3072 * 16 + 16 + 16 * 10 + 10;
  const Columns rounds = read_csv(result.folder / "rounds.csv");
  for (std::size_t k = 0; k < rounds.at("round").size(); ++k)
    CHECK(std::stol(rounds.at("method_bytes")[k]) ==
          4 * parameters * (rounds.at("chunks")[k].empty() ? 2 : 3));
  CHECK(rounds.at("chunks").front() == "3");
}

TEST_CASE("the last round is cut to the local steps that the budget allows") {
  const ScratchFolder scratch;
  const RunResult result =
      run_alone(request(scratch, tiny_experiment(), "out",
                        {"workers=1", "max_samples=100", "sync_interval.H=16",
                         "batch_size_controller.name=fixed", "batch_size_controller={}"}));
  const Columns rounds = read_csv(result.folder / "rounds.csv");
  CHECK(rounds.at("sync_interval") == std::vector<std::string>{"16", "9"});
  CHECK(rounds.at("samples") == std::vector<std::string>{"64", "100"});
  CHECK(rounds.at("reason") == std::vector<std::string>{"fixed", "fixed"});
}

TEST_CASE("post-local SGD synchronizes after every step at first and after H steps later") {
  const ScratchFolder scratch;
  const RunResult result =
      run_alone(request(scratch, tiny_experiment(), "out",
                        {"sync_interval={name: post_local, start_samples: 50, H: 4}",
                         "batch_size_controller={}", "max_samples=300"}));
  const Columns rounds = read_csv(result.folder / "rounds.csv");
  // 12 samples a step: five rounds begin before sample 50.
  CHECK(rounds.at("sync_interval") ==
        std::vector<std::string>{"1", "1", "1", "1", "1", "4", "4", "4", "4", "4"});
}

TEST_CASE("evaluations count the whole test set, at the first round after they are due and last") {
  const ScratchFolder scratch;
  const RunResult result = run_alone(request(scratch, tiny_experiment(), "out"));
  const Columns evaluations = read_csv(result.folder / "evaluations.csv");
  const std::vector<long> samples = integers(evaluations.at("samples")),
                          correct = integers(evaluations.at("test_correct"));
  std::vector<long> expected;
  long due = 150;
  for (const long done : integers(read_csv(result.folder / "rounds.csv").at("samples")))
    if (done >= due || done >= 600) {
      expected.push_back(done);
      due = (done / 150 + 1) * 150;
    }
  CHECK(samples == expected);
  CHECK(samples.back() == result.samples);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    CHECK(evaluations.at("test_images")[i] == "61");
    CHECK(std::stod(evaluations.at("test_accuracy")[i]) == static_cast<double>(correct[i]) / 61);
  }
  CHECK(result.last_evaluation.test.correct == correct.back());
}

TEST_CASE("the final parameters give the last evaluation, computed anew in double") {
  const ScratchFolder scratch;
  const RunResult result =
      run_alone(request(scratch, tiny_experiment(), "out",
                        {"model={name: softmax_regression}", "learning_rate.peak=0.002"}));
  const std::vector<float> x = final_values(result.folder);
  REQUIRE(x.size() == 3072 * 10 + 10);
  const ResidentImages data = generate_synthetic({.train_samples = 200, .test_samples = 61});
  BatchMemory memory(data.sample_shape(), 1);
  double loss = 0;
  long correct = 0;
  for (std::size_t i = 0; i < 61; ++i) {
    data.write_test_sample(i, memory.place(0));
    const std::span image(reinterpret_cast<const float*>(memory.batch(1).inputs.data()), 3072);
    std::array<double, 10> logits{};
    double sum = 0;
    for (std::size_t c = 0; c < 10; ++c) {
      logits[c] = x[10 * image.size() + c];
      for (std::size_t j = 0; j < image.size(); ++j)
        logits[c] += double{x[c * image.size() + j]} * image[j];
    }
    for (const double logit : logits) sum += std::exp(logit);
    loss += std::log(sum) - logits[data.test().labels[i]];
    correct += std::ranges::max_element(logits) - logits.begin() == data.test().labels[i] ? 1 : 0;
  }
  CHECK(result.last_evaluation.test.correct == correct);
  CHECK(result.last_evaluation.test.loss == doctest::Approx(loss / 61).epsilon(1e-5));
}

TEST_CASE("forward and backward passes are the time of a gradient, for workers that share slots") {
  const ScratchFolder scratch;
  const RunResult result =
      run_alone(request(scratch, tiny_experiment(), "out", {"workers=6", "max_samples=1200"}));
  const Columns timing = read_csv(result.folder / "timing.csv");
  double gradient = 0, both = 0;
  for (std::size_t k = 0; k < timing.at("round").size(); ++k) {
    const double forward = std::stod(timing.at("forward_seconds")[k]),
                 backward = std::stod(timing.at("backward_seconds")[k]);
    CHECK(forward > 0);
    CHECK(backward > 0);
    gradient += std::stod(timing.at("gradient_seconds")[k]);
    both += forward + backward;
  }
  CHECK(both <= gradient * 1.01);
  CHECK(both >= gradient * 0.5);
}

TEST_CASE("a run that diverges says so, and the round stands in the curves") {
  const ScratchFolder scratch;
  // The parameters are multiplied by about -1e6 in each step.
  const RunResult result =
      run_alone(request(scratch, tiny_experiment(), "out",
                        {"learning_rate={name: constant, peak: 1.0e6}",
                         "inner_optimizer.weight_decay=1.0", "max_samples=100000"}));
  CHECK(result.outcome == Outcome::kDiverged);
  CHECK(result.samples < 100000);
  const Columns rounds = read_csv(result.folder / "rounds.csv");
  REQUIRE(rounds.at("round").size() == static_cast<std::size_t>(result.rounds));
  const double loss = std::strtod(rounds.at("loss").back().c_str(), nullptr),
               drift = std::strtod(rounds.at("drift").back().c_str(), nullptr);
  CHECK_FALSE((std::isfinite(loss) && std::isfinite(drift)));
  CHECK(contains(text_of(result.folder / "summary.json"), "\"outcome\": \"diverged\""));
}

TEST_CASE("events tell the start, every round and every evaluation") {
  const ScratchFolder scratch;
  int starts = 0, rounds = 0, evaluations = 0;
  bool begun = false;
  const auto processes = single_process();
  const RunResult result = run_experiment(
      request(scratch, tiny_experiment(), "out"), *processes,
      {.on_start =
           [&](const RunStart& start) {
             CHECK(begun);
             CHECK(start.task.parameters == 3072 * 16 + 16 + 16 * 10 + 10);
             CHECK(start.task.train_samples == 200);
             CHECK(start.task.test_samples == 61);
             CHECK(start.slots <= static_cast<int>(std::thread::hardware_concurrency()));
             ++starts;
           },
       .on_round = [&](const RunProgress&) { ++rounds; },
       .on_evaluation = [&](const RunProgress&, const EvaluationRow&) { ++evaluations; }},
      [&] { begun = true; });
  CHECK(starts == 1);
  CHECK(rounds == result.rounds);
  CHECK(evaluations ==
        static_cast<int>(read_csv(result.folder / "evaluations.csv").at("round").size()));
}

TEST_CASE("a mistake leaves nothing behind, and results are not overwritten") {
  const ScratchFolder scratch;
  const auto error = [&](const std::vector<std::string>& settings) {
    return input_error([&] { run_alone(request(scratch, tiny_experiment(), "out", settings)); });
  };
  CHECK(contains(error({"workers=0"}), "workers: found 0"));
  CHECK(contains(error({"dataset={name: cifar10, root: /no/such/folder}"}), "/no/such/folder"));
  CHECK(contains(error({"model={name: resnet, depth: 18, stem: imagenet}", "seed=x"}), "seed"));
  CHECK(contains(error({"precision=bf16"}), "precision: found 'bf16'"));
  CHECK_FALSE(fs::exists(scratch.path() / "out"));

  const RunResult result = run_alone(request(scratch, tiny_experiment(), "out"));
  const std::string rounds = text_of(result.folder / "rounds.csv");
  CHECK(contains(error({}), "holds results already"));
  CHECK(text_of(result.folder / "rounds.csv") == rounds);
  RunRequest again = request(scratch, tiny_experiment(), "out");
  again.force = true;
  CHECK(run_alone(again).folder == result.folder);
  CHECK(text_of(result.folder / "rounds.csv") == rounds);
}

TEST_CASE("a file that cannot grow any more is a SystemError with its path") {
  const ScratchFolder scratch;
  const RunRequest tiny = request(scratch, tiny_experiment(), "out");
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 16384;  // more than any text of the run, less than the parameters
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  std::string message;
  try {
    run_alone(tiny);
  } catch (const SystemError& error) {
    message = error.what();
  }
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK_MESSAGE(one_line_with(message, {"final_parameters.f32", "File too large"}), message);
}

// Sanitizers need memory of their own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("64 workers with ResNet-20 fit into 3 GB") {
  const ScratchFolder scratch;
  const RunResult result =
      run_alone(request(scratch, tiny_experiment(), "out",
                        {"model={name: resnet}", "workers=64", "max_samples=128",
                         "sync_interval.H=1", "batch_size={initial: 2, micro_batch: 2}"}));
  CHECK(result.rounds == 1);
  CHECK(read_csv(result.folder / "rounds.csv").at("chunks").front() == "64");
  rusage usage{};
  REQUIRE(::getrusage(RUSAGE_SELF, &usage) == 0);
  CHECK(usage.ru_maxrss < 3L * 1000 * 1000);  // kB
}
#endif

}  // namespace localbatch
