#include "run/branches.h"

#include <doctest/doctest.h>

#include <cmath>

#include "experiment/fixtures.h"
#include "run/resume_fixtures.h"
#include "run/run_sweep.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

/// Ten rounds of 24 samples, then as many again.
constexpr Branch kTinyBranch{.at = 240, .local_batch_size = 4, .samples = 240, .repeat = 1};

/// A run that keeps a checkpoint after ten of its rounds.
fs::path tiny_run(const ScratchFolder& scratch, const std::string& output,
                  const std::vector<std::string>& settings = {}) {
  return run_alone(request(scratch, tiny_experiment() + "checkpoint: {keep_at: [240]}\n", output,
                           settings))
      .folder;
}

fs::path run_tiny_branch(const fs::path& run, const Branch& branch) {
  prepare_branch(run, branch);
  return run_stretch(branch_request(run, branch)).folder;
}

std::string first_lines(const std::string& text, int count) {
  std::size_t end = 0;
  for (; count > 0; --count) end = text.find('\n', end) + 1;
  return text.substr(0, end);
}

}  // namespace

TEST_CASE("a branch with the run's own local batch has the bytes of the run") {
  const ScratchFolder scratch;
  const fs::path run = tiny_run(scratch, "out", {"batch_size_controller={name: fixed}"});
  const fs::path branch = run_tiny_branch(run, kTinyBranch);
  constexpr int kHeaderAndRounds = 1 + 20;
  const std::string rounds = text_of(branch / "rounds.csv");
  CHECK(rounds == first_lines(text_of(run / "rounds.csv"), kHeaderAndRounds));
  // The run was evaluated after 168, 312 and 456 samples.
  CHECK(first_lines(text_of(branch / "evaluations.csv"), 4) ==
        first_lines(text_of(run / "evaluations.csv"), 4));
  CHECK(read_csv(branch / "evaluations.csv").at("samples").back() == "480");
}

TEST_CASE("the progress of a branch is that to its own end") {
  const ScratchFolder scratch;
  const fs::path run = tiny_run(scratch, "out");
  CHECK(progress_of_run(run).max_samples == 600);
  const CellProgress branch = progress_of_run(run_tiny_branch(run, kTinyBranch));
  CHECK(branch.samples == 480);
  CHECK(branch.max_samples == 480);
}

TEST_CASE("the training loss of a branch is that of all its rounds, whenever it was evaluated") {
  const ScratchFolder scratch;
  const fs::path run = tiny_run(scratch, "out", {"batch_size_controller={name: fixed}"});
  const Branch larger{.at = 240, .local_batch_size = 7, .samples = 240, .repeat = 1};
  for (const Branch& branch : {kTinyBranch, larger}) {
    const Columns rounds = read_csv(run_tiny_branch(run, branch) / "rounds.csv");
    double sum = 0;
    for (std::size_t k = 10; k < rounds.at("round").size(); ++k)
      sum += (std::stod(rounds.at("samples")[k]) - std::stod(rounds.at("samples")[k - 1])) *
             std::stod(rounds.at("loss")[k]);
    const BranchEnd end = read_branch_end(run, branch);
    CHECK(*end.train_loss == doctest::Approx(sum / static_cast<double>(end.samples - 240)));
  }
}

TEST_CASE("a run has the same bytes with branches and without") {
  const ScratchFolder scratch;
  const fs::path kept = tiny_run(scratch, "kept");
  const fs::path plain = run_alone(request(scratch, tiny_experiment(), "plain")).folder;
  run_tiny_branch(kept, kTinyBranch);
  for (const char* const name : {"rounds.csv", "evaluations.csv", "final_parameters.f32"})
    CHECK(text_of(kept / name) == text_of(plain / name));
}

TEST_CASE("a branch of a run with audits and tests is the same on any ranks and after a stop") {
  const ScratchFolder scratch;
  const fs::path run =
      run_alone(request(scratch,
                        tiny_experiment() + "audit: {every_rounds: 2, samples: 6}\n"
                                            "shadow_controllers: [{name: norm_test, eta: 0.5}]\n"
                                            "checkpoint: {keep_at: [240]}\n",
                        "out"))
          .folder;
  const fs::path copy = scratch.path() / "copy";
  fs::copy(run, copy, fs::copy_options::recursive);
  constexpr Branch kBranch{.at = 240, .local_batch_size = 8, .samples = 300, .repeat = 2};
  const fs::path whole = run_tiny_branch(run, kBranch);
  CHECK(read_csv(whole / "rounds.csv").at("samples").back() == "540");

  prepare_branch(copy, kBranch);
  const RunRequest in_pieces = branch_request(copy, kBranch);
  run_stretch(in_pieces, {.ranks = 3, .rounds = 2});
  run_stretch(in_pieces, {.ranks = 2, .rounds = 1});
  check_same_run(whole, run_stretch(in_pieces).folder);
}

TEST_CASE("rounds of a branch have its local batch, and repeats see other data") {
  const ScratchFolder scratch;
  const fs::path run = tiny_run(scratch, "out");
  Branch branch{.at = 240, .local_batch_size = 7, .samples = 252, .repeat = 1};
  const fs::path first = run_tiny_branch(run, branch);
  const Columns rounds = read_csv(first / "rounds.csv");
  // The last two rounds share evenly what is left.
  for (std::size_t i = 0; i + 2 < rounds.at("samples").size(); ++i)
    if (std::stol(rounds.at("samples")[i]) > 300) CHECK(rounds.at("local_batch_size")[i] == "7");
  branch.repeat = 2;
  const fs::path second = run_tiny_branch(run, branch);
  CHECK(final_values(first) != final_values(second));
  CHECK(read_csv(second / "rounds.csv").at("samples") == rounds.at("samples"));
}

TEST_CASE("learning rates of a branch are those of the run at so many samples") {
  const ScratchFolder scratch;
  const fs::path run = tiny_run(scratch, "out", {"batch_size_controller={name: fixed}"});
  Branch branch = kTinyBranch;
  branch.samples = 120;
  const Columns of_branch = read_csv(run_tiny_branch(run, branch) / "rounds.csv");
  const std::vector<std::string> rates = read_csv(run / "rounds.csv").at("learning_rate");
  const std::vector<std::string>& found = of_branch.at("learning_rate");
  REQUIRE(found.size() == 15);
  CHECK(std::equal(found.begin(), found.end(), rates.begin()));
}

TEST_CASE("on a noisy quadratic the measured critical batch is that of the closed form") {
  constexpr int kDimension = 1000, kWorkers = 4, kInitial = 4;
  constexpr double kRate = 0.1, kTolerance = 2, kSmallest = 0.1;
  constexpr std::int64_t kSamples = 1280, kEarly = 320, kLate = 6400;
  const std::vector<int> sizes{4, 8, 16, 32, 64};
  // E x_i^2 after steps of rate r on b samples of each worker; averaging does not change a linear
  // recursion: x_i becomes (1 - r lambda_i) x_i and noise of variance r^2/(M b).
  const auto advance = [](double lambda, double square, double rate, int b, std::int64_t samples) {
    const double steps = static_cast<double>(samples) / (kWorkers * b);
    const double kept = std::pow(1 - rate * lambda, 2), power = std::pow(kept, steps);
    return power * square + rate * rate / (kWorkers * b) * (1 - power) / (1 - kept);
  };
  const auto expected_loss = [&](std::int64_t at, int b) {
    double loss = 0;
    for (int i = 0; i < kDimension; ++i) {
      const double lambda = kSmallest * std::pow(1 / kSmallest, i / (kDimension - 1.0));
      const double there = advance(lambda, 1, kRate, kInitial, at);
      const double rate = kRate * std::sqrt(static_cast<double>(b) / kInitial);
      loss += lambda / 2 * advance(lambda, there, rate, b, kSamples);
    }
    return loss;
  };
  const auto expected_size = [&](std::int64_t at) {
    int largest = sizes.front();
    for (const int b : sizes) {
      if (expected_loss(at, b) > expected_loss(at, sizes.front()) + kTolerance) break;
      largest = b;
    }
    return largest;
  };
  REQUIRE(expected_size(kEarly) == 8);
  REQUIRE(expected_size(kLate) == 64);

  const ScratchFolder scratch;
  const fs::path run =
      run_alone(request(scratch,
                        "workers: 4\nmax_samples: 8000\n"
                        "problem: {name: quadratic, dimension: 1000, noise_variance: 1}\n"
                        "learning_rate: {name: constant, peak: 0.1}\n"
                        "learning_rate_coupling: {name: sqrt}\n"
                        "inner_optimizer: {name: sgd}\n"
                        "sync_interval: {name: constant, H: 2}\n"
                        "batch_size: {initial: 4, max: 4}\n"
                        "evaluation: {every_samples: 8000}\n"
                        "branches: {at: [320, 6400], local_batch_sizes: [4, 8, 16, 32, 64], "
                        "samples: 1280, repeats: 3, loss: test, tolerance: 2}\n",
                        "out"))
          .folder;
  const Experiment experiment =
      read_experiment(Options(read_experiment_file(run / "experiment.yaml")));
  REQUIRE(experiment.branches);
  std::vector<BranchEnd> ends;
  for (const Branch& branch : branches_of(*experiment.branches)) {
    run_tiny_branch(run, branch);
    ends.push_back(read_branch_end(run, branch));
    CHECK(ends.back().samples == branch.at + kSamples);
    CHECK(*ends.back().test_loss ==
          doctest::Approx(expected_loss(branch.at, branch.local_batch_size)).epsilon(0.2));
  }
  const auto critical =
      critical_batch_sizes(ends, experiment.branches->loss, experiment.branches->tolerance);
  REQUIRE(critical.size() == 2);
  for (const CriticalBatchSize& point : critical) {
    CHECK(point.local_batch_size == expected_size(point.at));
    CHECK(point.lowest <= expected_size(point.at));
    CHECK(point.highest >= expected_size(point.at));
    CHECK(point.repeats == 3);
  }
  const auto tabulated = tabulate_branches(run, *experiment.branches);
  CHECK(tabulated.size() == critical.size());
  CHECK(tabulated.back().largest_tried == sizes.back());
  CHECK(read_csv(run / "branches.csv").at("test_loss").size() == 30);
  CHECK(read_csv(run / "critical_batch_sizes.csv").at("critical_local_batch_size") ==
        std::vector<std::string>{"8", "64"});
}

TEST_CASE("the critical batch is the last one before a loss that is worse") {
  const auto end = [](std::int64_t at, int repeat, int b, std::optional<double> loss) {
    return BranchEnd{.branch = {.at = at, .local_batch_size = b, .samples = 1, .repeat = repeat},
                     .test_loss = loss};
  };
  const std::vector<BranchEnd> ends{
      end(10, 1, 8, 1.0),  end(10, 1, 16, 1.1), end(10, 1, 32, 1.2), end(10, 1, 64, 1.0),
      end(10, 2, 8, 1.0),  end(10, 2, 16, 0.9), end(10, 2, 32, 1.1), end(10, 2, 64, {}),
      end(10, 3, 8, 1.0),  end(10, 3, 16, 2.0), end(10, 3, 32, 1.0), end(10, 3, 64, 1.0),
      end(99, 1, 64, 0.5), end(99, 1, 8, 0.5),  end(99, 2, 64, 1),   end(99, 2, 8, {})};
  const auto critical = critical_batch_sizes(ends, BranchLoss::kTest, 0.15);
  REQUIRE(critical.size() == 2);
  CHECK(critical[0].at == 10);
  CHECK(critical[0].local_batch_size == 16);
  CHECK(critical[0].lowest == 8);
  CHECK(critical[0].highest == 32);
  CHECK(critical[0].repeats == 3);
  CHECK(critical[0].largest_tried == 64);
  // In the second repeat there is no loss of the smallest to compare with.
  CHECK(critical[1].local_batch_size == 64);
  CHECK(critical[1].repeats == 1);
  // Nobody has a training loss here.
  CHECK(critical_batch_sizes(ends, BranchLoss::kTrain, 0.15)[0].repeats == 0);
}

TEST_CASE("repeats that lack a local batch size which others have do not count") {
  const auto end = [](int repeat, int b, double loss) {
    return BranchEnd{.branch = {.at = 1, .local_batch_size = b, .samples = 1, .repeat = repeat},
                     .test_loss = loss};
  };
  std::vector<BranchEnd> ends{end(1, 8, 1), end(1, 32, 1), end(2, 8, 1), end(2, 32, 1),
                              end(3, 8, 1), end(4, 8, 1),  end(5, 8, 1)};
  const CriticalBatchSize of_two = critical_batch_sizes(ends, BranchLoss::kTest, 0).front();
  CHECK(of_two.local_batch_size == 32);
  CHECK(of_two.lowest == 32);
  CHECK(of_two.repeats == 2);
  ends.push_back(end(2, 64, 1));
  const CriticalBatchSize of_one = critical_batch_sizes(ends, BranchLoss::kTest, 0).front();
  CHECK(of_one.local_batch_size == 64);
  CHECK(of_one.repeats == 1);
  ends.push_back(end(1, 4, 1));
  CHECK(critical_batch_sizes(ends, BranchLoss::kTest, 0).front().repeats == 0);
}

TEST_CASE("a branch that would end before it begins is refused") {
  const ScratchFolder scratch;
  // Rounds have 24 samples, so the one that reaches 121 ends at 144.
  const fs::path run =
      run_alone(request(scratch, tiny_experiment() + "checkpoint: {keep_at: [121]}\n", "out",
                        {"batch_size_controller={name: fixed}"}))
          .folder;
  constexpr Branch kShort{.at = 121, .local_batch_size = 4, .samples = 20, .repeat = 1};
  CHECK(input_error([&] { check_branches(run, {{kShort}}); }).find("ends at 144") !=
        std::string::npos);
}

TEST_CASE("a checkpoint that somebody put in the place of another is refused") {
  const ScratchFolder scratch;
  const fs::path run =
      run_alone(request(scratch, tiny_experiment() + "checkpoint: {keep_at: [96, 240]}\n", "out"))
          .folder;
  fs::copy_file(run / "kept" / "checkpoint-at-240", run / "kept" / "checkpoint-at-96",
                fs::copy_options::overwrite_existing);
  constexpr Branch kEarly{.at = 96, .local_batch_size = 4, .samples = 240, .repeat = 1};
  CHECK(input_error([&] { check_branches(run, {{kEarly}}); }).find("not the first that reaches") !=
        std::string::npos);
}

TEST_CASE("a run whose settings were changed in its folder is not branched") {
  const ScratchFolder scratch;
  const fs::path run = tiny_run(scratch, "out");
  change_setting(run, "max_samples: 600", "max_samples: 720");
  CHECK(input_error([&] {
          check_branches(run, {{kTinyBranch}});
        }).find("the settings are not those that the checkpoint at 240 samples was made with") !=
        std::string::npos);
  CHECK_FALSE(fs::exists(run / "branches"));
}

TEST_CASE("branches that were made before stay in the tables") {
  const ScratchFolder scratch;
  const fs::path run = tiny_run(scratch, "out");
  BranchPlan plan{.at = {240}, .local_batch_sizes = {4}, .samples = 240};
  const auto run_plan = [&] {
    for (const Branch& branch : branches_of(plan)) run_tiny_branch(run, branch);
    return tabulate_branches(run, plan);
  };
  CHECK(run_plan().front().largest_tried == 4);
  plan.local_batch_sizes = {8};
  CHECK(run_plan().front().largest_tried == 8);
  CHECK(read_csv(run / "branches.csv").at("local_batch_size") ==
        std::vector<std::string>{"4", "8"});
  // Losses after other numbers of samples cannot be compared.
  plan = {.at = {240}, .local_batch_sizes = {16}, .samples = 300};
  CHECK(run_plan().size() == 1);
  CHECK(read_csv(run / "branches.csv").at("branch_samples") ==
        std::vector<std::string>{"240", "240", "300"});
  CHECK(read_csv(run / "critical_batch_sizes.csv").at("critical_local_batch_size") ==
        std::vector<std::string>{"16"});
}

TEST_CASE("what cannot be branched is refused in a line") {
  const ScratchFolder scratch;
  const fs::path run = tiny_run(scratch, "out", {"batch_size_controller={name: fixed}"});
  const auto refused = [&run](const Branch& branch, const std::string& reason) {
    CHECK(input_error([&] {
            check_branches(run, {{kTinyBranch, branch}});
          }).find(reason) != std::string::npos);
    CHECK_FALSE(fs::exists(run / "branches"));
  };
  Branch branch = kTinyBranch;
  branch.at = 250;
  refused(branch, "keep_at: [250]");
  branch = kTinyBranch;
  branch.samples = 400;
  refused(branch, "a branch at 240 samples would end at 640, and the run does at 600");
  // Each of three workers has 80 samples, which are 2 local steps of 40.
  branch = kTinyBranch;
  branch.local_batch_size = 70;
  refused(branch,
          "a branch at 240 samples has 80 left for each worker, in local steps of 40, too few for "
          "a local batch of 70");
  const fs::path of_branch = run_tiny_branch(run, kTinyBranch);
  CHECK(input_error([&] { check_branches(of_branch, {{kTinyBranch}}); }).find("branch") !=
        std::string::npos);
  // From its settings alone a branch does not begin.
  const RunRequest alone{
      .file = of_branch / "experiment.yaml", .settings = {}, .output = scratch.path() / "x"};
  CHECK(input_error([&] { run_alone(alone); }).find("goes on from a checkpoint") !=
        std::string::npos);
}

}  // namespace localbatch
