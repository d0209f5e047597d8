#pragma once

#include <filesystem>
#include <string>

namespace localbatch {

/// Two runs beside each other as a person reads it: the settings that differ, where each of their
/// CSV files of results differs first (timing.csv, which no two runs share, is left out), and the
/// quantities of a table with both values. Each path is the folder of a run, or holds one. Throws
/// an InputError for a folder without a run or with several, and for a file that is damaged.
std::string compare_runs(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace localbatch
