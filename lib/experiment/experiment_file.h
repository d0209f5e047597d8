#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/node.h"
#include "core/options.h"

namespace localbatch {

/// Reads a YAML file and applies settings to it. Throws an InputError with file, line and column
/// where it is not valid YAML.
Node read_experiment_file(const std::filesystem::path& path,
                          const std::vector<std::string>& settings = {});

/// The same for a text; `source` stands for the file name in messages. Keys of earlier versions are
/// written as today's.
Node parse_experiment(const std::string& text, const std::string& source);

/// Applies one `--set part.key=value`: the value is YAML, and mappings on the way are made when
/// absent.
void apply_setting(Node& experiment, const std::string& setting);

/// What was read, as YAML: every key with the value that was used, defaults included, without texts
/// that are empty. Reading this text again gives the same experiment.
std::string resolved_yaml(const std::vector<Declaration>& declarations);

}  // namespace localbatch
