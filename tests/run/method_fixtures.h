#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "experiment/communication.h"
#include "experiment/fixtures.h"

namespace localbatch {

/// All methods that can be named in an experiment file, as "part name".
inline std::set<std::string> registered_methods() {
  std::set<std::string> methods;
  const auto add = [&methods](const std::string& part, const std::vector<std::string>& names) {
    for (const std::string& name : names) methods.insert(part + " " + name);
  };
  add("problem", task_names());
  add("model", {"llama", "gpt"});
  add("inner_optimizer", part_names(inner_optimizer_table()));
  add("outer_optimizer", part_names(outer_optimizer_table()));
  add("learning_rate", part_names(learning_rate_table()));
  add("learning_rate_coupling", part_names(learning_rate_coupling_table()));
  add("sync_interval", part_names(sync_interval_table()));
  add("partition", part_names(partition_table()));
  add("parameters", part_names(parameter_format_table()));
  add("chunks", {"workers", "micro_batches", "samples", "delta"});
  add("batch_size_controller", part_names(batch_size_controller_table()));
  return methods;
}

/// Those that an experiment uses, in the same form.
inline std::set<std::string> methods_of(const Experiment& experiment) {
  std::set<std::string> methods;
  for (const Declaration& part : experiment.resolved)
    for (const Declaration& key : part.parts)
      if (key.key == "name" || key.key == "partition" || key.key == "chunks" ||
          key.key == "parameters")
        methods.insert((key.key == "name" ? part.key : key.key) + " " + key.value);
  return methods;
}

/// What makes a network of an experiment small, because this is not about learning.
inline std::vector<std::string> small_network_settings(const std::filesystem::path& file,
                                                       int max_samples) {
  const std::string samples = "max_samples=" + std::to_string(max_samples);
  const Experiment experiment = read_experiment(Options(read_experiment_file(file)));
  if (methods_of(experiment).contains("dataset generated_text"))
    return {samples,
            "model.layers=1",
            "model.width=16",
            "dataset.sequence_length=6",
            "dataset.train_tokens=4000",
            "dataset.test_tokens=100"};
  return {samples, "model={name: mlp, hidden_layers: 1, hidden_features: 8}",
          "dataset.train_samples=500", "dataset.test_samples=50"};
}

}  // namespace localbatch
