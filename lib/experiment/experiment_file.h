#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/options.h"
#include "core/yaml.h"

namespace localbatch {

/// Reads a YAML file and applies settings. Throws an InputError with file, line and column where it
/// is not valid YAML.
Node read_experiment_file(const std::filesystem::path& path,
                          const std::vector<std::string>& settings = {});

/// The keys that were read, as YAML: each with the value that was used, defaults included, without
/// texts that are empty. Reading this text again gives the same experiment.
std::string resolved_yaml(const std::vector<Declaration>& declarations);

}  // namespace localbatch
