#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "data/fixtures.h"
#include "experiment/experiment.h"
#include "run/run_experiment.h"

namespace localbatch {

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> cells(1);
  for (const char c : line)
    if (c == ',')
      cells.emplace_back();
    else
      cells.back() += c;
  return cells;
}

/// The cells of a CSV file by the name of their column.
using Columns = std::map<std::string, std::vector<std::string>>;

inline Columns read_csv(const std::filesystem::path& path) {
  std::istringstream text(text_of(path));
  std::string line;
  std::getline(text, line);
  const std::vector<std::string> names = split(line);
  Columns columns;
  for (const std::string& name : names) columns[name];
  while (std::getline(text, line)) {
    const std::vector<std::string> cells = split(line);
    check(cells.size() == names.size(), "a row has a cell in every column");
    for (std::size_t i = 0; i < cells.size(); ++i) columns[names[i]].push_back(cells[i]);
  }
  return columns;
}

inline std::vector<long> integers(const std::vector<std::string>& cells) {
  std::vector<long> values;
  values.reserve(cells.size());
  for (const std::string& cell : cells) values.push_back(std::stol(cell));
  return values;
}

/// The numbers of final_parameters.f32: parameters, then statistics of batch norm.
inline std::vector<float> final_values(const std::filesystem::path& folder) {
  const std::string bytes = text_of(folder / "final_parameters.f32");
  std::vector<float> values(bytes.size() / sizeof(float));
  std::copy_n(bytes.data(), values.size() * sizeof(float), reinterpret_cast<char*>(values.data()));
  return values;
}

/// A request for the experiment that `text` describes, with results in `scratch`/`output`.
inline RunRequest request(const ScratchFolder& scratch, const std::string& text,
                          const std::string& output,
                          const std::vector<std::string>& settings = {}) {
  const std::filesystem::path file = scratch.path() / (output + ".yaml");
  std::ofstream(file) << text;
  return {.file = file,
          .settings = settings,
          .output = scratch.path() / output,
          .force = false,
          .command_line = {}};
}

inline RunResult run_alone(const RunRequest& request) {
  const std::unique_ptr<ProcessGroup> processes = single_process();
  return run_experiment(request, *processes, {}, [] {});
}

/// Less than a second of work: 3 workers, the norm test, some ten rounds.
inline std::string tiny_experiment() {
  return "experiment: tiny\n"
         "seed: 3\n"
         "workers: 3\n"
         "max_samples: 600\n"
         "dataset: {name: synthetic, train_samples: 200, test_samples: 61}\n"
         "augmentation: {pad_crop: 2, flip: true}\n"
         "model: {name: mlp, hidden_layers: 1, hidden_features: 16}\n"
         "inner_optimizer: {name: sgd, momentum: 0.9, weight_decay: 1.0e-4, at_sync: average}\n"
         "learning_rate: {name: cosine, peak: 0.02, warmup_samples: 60}\n"
         "sync_interval: {name: constant, H: 2}\n"
         "batch_size: {initial: 4, max: 24, micro_batch: 8}\n"
         "batch_size_controller: {name: norm_test, eta: 0.8}\n"
         "evaluation: {every_samples: 150}\n";
}

}  // namespace localbatch
