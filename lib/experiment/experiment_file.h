#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/options.h"
#include "core/yaml.h"

namespace localbatch {

/// Reads a YAML file, writes keys of earlier versions as today's and applies settings. Throws an
/// InputError with file, line and column where it is not valid YAML.
Node read_experiment_file(const std::filesystem::path& path,
                          const std::vector<std::string>& settings = {});

/// What was read, as YAML: every key with the value that was used, defaults included, without texts
/// that are empty. Reading this text again gives the same experiment.
std::string resolved_yaml(const std::vector<Declaration>& declarations);

/// Writes keys of earlier versions as today's, so that the `experiment.yaml` that a run of one has
/// left can be run again and its results stay in their row of a table:
///
///   winograd: true | false      convolution: auto | direct
///
/// What already says it in today's way is left alone, and refused by whoever reads it.
void translate_earlier_keys(Node& experiment);

}  // namespace localbatch
