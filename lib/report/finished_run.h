#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/csv.h"
#include "core/yaml.h"
#include "run/run_folder.h"

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

/// Whether a key says where something lies, what it is called or what is kept of a run, not what
/// the run does: `experiment`, `dataset.root`, `kernels`, `model.initial`, and those of `branches`
/// and `checkpoint`.
bool is_place(const std::string& key);

/// Whether nothing stands in for a key, or for the part that it is in, where a file has none: its
/// absence says something.
bool has_no_default(const std::string& key);

/// Whether all keys that both know have the same values, except for places. So a version that knows
/// more keys still finds the runs of an earlier one. A key without a default has to be there in
/// both or in neither: a run has a validation set, or streams, only where its settings name them.
bool agree(const Settings& a, const Settings& b);

/// The keys that have more than one value, in the order in which they come, without places.
/// Settings that do not have a key do not count for it, or count as one more value, as they always
/// do for a key without a default.
std::vector<std::string> differing_keys(const std::vector<Settings>& all,
                                        bool absence_counts = false);

/// A run as its folder shows it, or one that nobody has started; `status` says whether it has
/// finished. Missing files are no mistake, as some are not published with the results.
struct FinishedRun {
  std::string folder;               ///< as it is shown to a person
  std::filesystem::path path = {};  ///< of its files; empty for a run that nobody has started
  Settings settings;                ///< of its experiment.yaml
  RunStatus status = RunStatus::kMissing;
  int percent = 0;           ///< of its samples
  std::string failure = {};  ///< why it could not go on, in one line, for kFailed
  std::optional<CsvColumns> rounds = {}, evaluations = {}, timing = {};
  /// The facts of manifest.json, in its order: "commit" and "9074cacc5db0", or
  /// "9074cacc5db0, d6d2a634a585" for a run that went on in another version.
  std::vector<std::pair<std::string, std::string>> manifest = {};
};

/// Throws an InputError that names the file for one that is damaged. Without summary.json a run has
/// finished when its last evaluation is at its last round and no sample of its budget is left.
FinishedRun read_finished_run(const std::filesystem::path& folder, std::string shown);

/// Makes a run that has not ended kFailed when a failure is recorded in its folder.
void note_failure(FinishedRun& run, const std::filesystem::path& folder);

/// Whether both have ended with the same bytes of their curves: it is one run that was done twice,
/// as when it has to keep other checkpoints.
bool have_same_results(const FinishedRun& a, const FinishedRun& b);

/// Folders with an experiment.yaml at or below this one, sorted; none when it is not there. What
/// lies below the folder of a run are its branches, which are found from there only.
std::vector<std::filesystem::path> folders_of_runs(const std::filesystem::path& below);

/// The run whose folder this is, or which lies alone below it. Throws an InputError where there is
/// none or there are several.
FinishedRun only_run_in(const std::filesystem::path& source);

/// A fact of the manifest, such as "commit"; empty when it is not known.
std::string manifest_fact(const FinishedRun& run, std::string_view name);

}  // namespace localbatch
