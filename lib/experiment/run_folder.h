#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace localbatch {

/// `<output>/<experiment>/<cell>`. The cell is named after the settings that were given on the
/// command line ("eta=0.9"), or "run" without any, and the first eight hexadecimal digits of a hash
/// (FNV-1a, 64 bits) of the resolved experiment file, so that two experiments never share a folder.
std::filesystem::path run_folder(const std::filesystem::path& output, const std::string& experiment,
                                 const std::vector<std::string>& settings,
                                 const std::string& resolved);

/// Makes the folder and those around it. Throws an InputError when it cannot be made or written, or
/// when it holds results already and `force` is not set; with `force` these are removed first.
void claim_run_folder(const std::filesystem::path& folder, bool force);

}  // namespace localbatch
