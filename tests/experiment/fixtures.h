#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/fixtures.h"
#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "experiment/network_factory.h"

namespace localbatch {

/// Reads an experiment from a text whose messages call it "test.yaml".
inline Experiment read_text(const std::string& text) {
  const Node file = parse_yaml(text, "test.yaml");
  return read_experiment(Options(file), /*cpu_has_bfloat16=*/true);
}

/// The network of an experiment that trains one.
inline const NetworkSettings& network_of(const Experiment& experiment) {
  return dynamic_cast<const NetworkTaskFactory&>(*experiment.task).settings();
}

/// What the InputError of reading `text` says.
inline std::string text_error(const std::string& text) {
  return input_error([&] { read_text(text); });
}

/// Whether `message` is one line that contains all `parts`.
inline bool one_line_with(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts)
    if (!contains(message, part)) return false;
  return !contains(message, "\n");
}

/// All experiment files of the repository.
inline std::vector<std::filesystem::path> experiment_files() {
  const std::filesystem::path folder = std::filesystem::path(LOCALBATCH_SOURCE_DIR) / "experiments";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  return files;
}

}  // namespace localbatch
