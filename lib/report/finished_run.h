#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/csv.h"
#include "core/yaml.h"

namespace localbatch {

/// Keys of an experiment file with their values as text, in the order of the file: "batch_size.max"
/// and "64". A list is one value, "[1, 2]".
class Settings {
 public:
  Settings() = default;
  explicit Settings(std::vector<std::pair<std::string, std::string>> entries)
      : entries_(std::move(entries)) {}

  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

  /// Null when the key is not there.
  const std::string* find(const std::string& key) const;

  /// Empty when the key is not there.
  std::string value(const std::string& key) const;

  /// Whether the key is there, or is a part that holds others.
  bool has_part(const std::string& key) const;

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

Settings settings_of(const Node& experiment);

/// Whether a key says where something lies or what it is called, not what a run does:
/// `experiment`, `dataset.root` and `kernels`.
bool is_place(const std::string& key);

/// Whether all keys that both know have the same values, but for places. A version that knows more
/// keys still finds the runs of an earlier one.
bool agree(const Settings& a, const Settings& b);

/// Keys that have more than one value, in the order in which they come. Who does not know a key
/// does not count. Places are left out.
std::vector<std::string> differing_keys(const std::vector<Settings>& all);

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
