#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiment/csv_columns.h"
#include "report/settings.h"

namespace localbatch {

enum class RunState {
  kMissing,     ///< nobody has run it
  kUnfinished,  ///< it runs, or was interrupted
  kFinished,
  kDiverged  ///< it ended with a loss or gradient that is not finite
};

/// What a run has left behind. Files that are not there are no mistake: some are not kept with the
/// results that are published.
struct RecordedRun {
  std::string folder;  ///< as it is shown to a person
  Settings settings;   ///< of its experiment.yaml
  RunState state = RunState::kMissing;
  int percent = 0;           ///< of its samples
  std::string failure = {};  ///< why it failed when it was last tried, one line; empty: it did not
  std::optional<CsvColumns> rounds = {}, evaluations = {}, timing = {};
  /// Of manifest.json, in its order: "commit" and "9074cacc5db0", or "9074cacc5db0, d6d2a634a585"
  /// of a run that went on in another version.
  std::vector<std::pair<std::string, std::string>> manifest = {};
};

/// Throws an InputError that names the file for one that is damaged. Without summary.json a run has
/// finished when its last evaluation is at its last round and no sample of its budget is left.
RecordedRun read_recorded_run(const std::filesystem::path& folder, std::string shown);

bool has_ended(const RecordedRun& run);

/// Of a run that failed there and has not ended since, in one line.
std::string failure_in(const std::filesystem::path& folder);

/// Folders with an experiment.yaml at or below this one, sorted; none when it is not there.
std::vector<std::filesystem::path> folders_of_runs(const std::filesystem::path& below);

/// Of the manifest; empty when it is not known.
std::string commit_of(const RecordedRun& run);

}  // namespace localbatch
