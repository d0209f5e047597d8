#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/node.h"
#include "core/options.h"

namespace localbatch {

/// Reads a YAML file, writes keys of earlier versions as today's and applies settings. Throws an
/// InputError with file, line and column where it is not valid YAML.
Node read_experiment_file(const std::filesystem::path& path,
                          const std::vector<std::string>& settings = {});

/// The same for a text, and keys of earlier versions stay; `source` stands for the file name in
/// messages.
Node parse_experiment(const std::string& text, const std::string& source);

/// Applies one `--set part.key=value`: the value is YAML, and mappings on the way are made when
/// absent.
void apply_setting(Node& experiment, const std::string& setting);

/// What was read, as YAML: every key with the value that was used, defaults included, without texts
/// that are empty. Reading this text again gives the same experiment.
std::string resolved_yaml(const std::vector<Declaration>& declarations);

}  // namespace localbatch
