#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "data/fixtures.h"

namespace localbatch {

/// A small run for tests: two workers, one row of evaluations.csv for every accuracy. Every round
/// has 64 samples, H local steps and 1000 bytes, and takes 2 seconds.
struct RunFiles {
  std::string folder;
  int H = 4, seed = 1;
  int local_batch_size = 8;
  std::string controller = "  name: fixed\n";
  std::vector<double> accuracies = {0.25, 0.5};
  std::string outcome = "finished";  ///< empty: no summary.json
  int rounds_left = 0;               ///< of the budget
  bool has_timing = true, has_manifest = true;
  std::string more = {};                  ///< further settings
  std::string of_dataset = {};            ///< further keys of the data set
  std::vector<double> perplexities = {};  ///< of texts; their bits per byte are an eighth
  /// Loss and accuracy of every evaluation on samples that are held out; empty: none are.
  std::vector<std::pair<double, double>> validation = {};
};

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

inline void write_run(const std::filesystem::path& below, const RunFiles& run) {
  const std::filesystem::path folder = below / run.folder;
  constexpr int per_round = 64;  // 2 workers, H = 4, b = 8; the same for all, as budgets are
  const auto rounds = static_cast<int>(run.accuracies.size());
  write_text(folder / "experiment.yaml",
             fmt::format("experiment: tiny\nseed: {}\nworkers: 2\nmax_samples: {}\n"
                         "dataset:\n  name: synthetic\n  root: /somewhere\n{}"
                         "model:\n  name: resnet\n  depth: '20'\n"
                         "sync_interval:\n  name: constant\n  H: {}\n"
                         "batch_size:\n  initial: {}\nbatch_size_controller:\n{}{}",
                         run.seed, (rounds + run.rounds_left) * per_round, run.of_dataset, run.H,
                         run.local_batch_size, run.controller, run.more));
  std::string curves = "round,samples,sync_interval,local_batch_size,loss,method_bytes\n";
  const bool texts = !run.perplexities.empty();
  std::string evaluations = "round,samples,train_loss,test_loss,test_accuracy";
  if (texts) evaluations += ",test_perplexity,test_bits_per_byte";
  if (!run.validation.empty()) evaluations += ",validation_loss,validation_accuracy";
  evaluations += "\n";
  std::string timing = "round,total_seconds\n";
  for (int k = 1; k <= rounds; ++k) {
    curves += fmt::format("{},{},{},{},1.5,1000\n", k, k * per_round, run.H, run.local_batch_size);
    const auto i = static_cast<std::size_t>(k - 1);
    evaluations += fmt::format("{},{},{},2.5,{}", k, k * per_round, 1.0 / k, run.accuracies[i]);
    if (texts) evaluations += fmt::format(",{},{}", run.perplexities[i], run.perplexities[i] / 8);
    if (!run.validation.empty())
      evaluations += fmt::format(",{},{}", run.validation[i].first, run.validation[i].second);
    evaluations += "\n";
    timing += fmt::format("{},2\n", k);
  }
  write_text(folder / "rounds.csv", curves);
  write_text(folder / "evaluations.csv", evaluations);
  if (run.has_timing) write_text(folder / "timing.csv", timing);
  if (!run.outcome.empty())
    write_text(folder / "summary.json", fmt::format(R"({{"outcome": "{}"}})", run.outcome));
  if (run.has_manifest)
    write_text(folder / "manifest.json", R"({"commit": "abc123", "host": "desk", "ranks": 2})");
}

}  // namespace localbatch
