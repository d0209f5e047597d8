#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <vector>

#include "comm/agreement.h"
#include "comm/process_group.h"
#include "core/error.h"
#include "core/files.h"
#include "run/run_experiment.h"
#include "selftest/checks.h"
#include "selftest/selftest.h"

namespace localbatch {

namespace {

namespace fs = std::filesystem;

/// A few rounds with a test that lets the batch grow, for a worker on each rank and two at least.
std::string experiment_for(int ranks) {
  const int workers = std::max(2, ranks);
  return fmt::format(
      "experiment: selftest\n"
      "workers: {}\n"
      "max_samples: {}\n"
      "dataset: {{name: synthetic, train_samples: {}, test_samples: 32}}\n"
      "model: {{name: resnet, depth: 20}}\n"
      "learning_rate: {{peak: 0.01}}\n"
      "sync_interval: {{H: 2}}\n"
      "batch_size: {{initial: 2, max: 4, micro_batch: 4}}\n"
      "batch_size_controller: {{name: norm_test, eta: 0.8}}\n",
      workers, 24 * workers, 16 * workers);
}

/// Starts the experiment, or goes on with it, in a folder of its own below the output.
class ShortRun {
 public:
  ShortRun(const SelfTestRequest& request, const TestFolders& folders, int ranks) {
    request_.file = folders.own / "selftest.yaml";
    request_.output = folders.output;
    write_file_atomically(request_.file, experiment_for(ranks));
    events_.on_failure = request.on_failure;
  }

  RunRequest& request() { return request_; }

  RunResult start(const std::string& name, ProcessGroup& processes) {
    RunRequest named = request_;
    named.output /= name;
    return run_experiment(named, processes, events_, [] {});
  }

 private:
  RunRequest request_;
  RunEvents events_;
};

/// The one folder of results of a run.
fs::path results_in(const TestFolders& folders, const std::string& name) {
  const fs::path runs = folders.output / name / "selftest";
  if (!fs::is_directory(runs)) return {};
  return fs::directory_iterator(runs)->path();
}

std::string difference_of_files(const fs::path& a, const std::string& a_name, const fs::path& b,
                                const std::string& b_name) {
  for (const char* const name : {"rounds.csv", "evaluations.csv", "final_parameters.f32"}) {
    const std::string there = read_text(a / name), here = read_text(b / name);
    if (there == here) continue;
    const auto place = std::ranges::mismatch(there, here).in1 - there.begin();
    return fmt::format("{} {} and {} differ from byte {} on", name, a_name, b_name, place);
  }
  return {};
}

constexpr const char* kWhole = "whole";

}  // namespace

std::string check_placement(const SelfTestRequest& request, const TestFolders& folders,
                            ProcessGroup& processes) {
  const int ranks = processes.num_ranks();
  ShortRun run = agree(processes, [&] { return ShortRun(request, folders, ranks); });
  const RunResult whole = run.start(kWhole, processes);
  if (whole.outcome != Outcome::kFinished) return "the run did not finish";
  if (processes.rank() != 0) return {};
  if (ranks == 1) {
    run.request().settings = {"threads_per_worker=2"};
    const RunResult other = run.start("threads", processes);
    return difference_of_files(whole.folder, "with 1 thread", other.folder, "with 2 threads");
  }
  run.request().checks_launch = false;  // the launcher has started more ranks than this one
  const RunResult alone = run.start("alone", *single_process());
  return difference_of_files(alone.folder, "on 1 rank", whole.folder,
                             fmt::format("on {} ranks", ranks));
}

std::string check_checkpoint(const SelfTestRequest& request, const TestFolders& folders,
                             ProcessGroup& processes) {
  ShortRun run =
      agree(processes, [&] { return ShortRun(request, folders, processes.num_ranks()); });
  run.request().stop_requested = [] { return true; };
  if (run.start("stopped", processes).outcome != Outcome::kStopped)
    return "the run did not stop behind its first round";
  run.request().stop_requested = [] { return false; };
  const RunResult resumed = run.start("stopped", processes);
  if (resumed.outcome != Outcome::kFinished) return "the run that went on did not finish";
  if (processes.rank() != 0) return {};
  const fs::path whole = results_in(folders, kWhole);
  if (whole.empty()) return "there is no run to compare with";
  return difference_of_files(whole, "without a stop", resumed.folder, "with a stop");
}

}  // namespace localbatch
