#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "doctor/doctor.h"
#include "run/checkpoints.h"

namespace localbatch {

/// The readable part of a run's name: that of its cell in a sweep and the settings that were given
/// on the command line ("H=8-seed=1-eta=0.9"), as many as fit ("...-and_4_more"), or "run".
std::string run_name(const std::string& cell_name, const std::vector<std::string>& settings);

/// The text of a resolved experiment file with one thread for every worker: all that bits depend
/// on. Runs with the same text have the same results.
std::string what_decides_results(std::string resolved);

/// XXH3 of that text.
std::uint64_t checksum_of_settings(const std::string& resolved);

/// `<output>/<experiment>/<name>-<hash>`, with the first eight hexadecimal digits of the
/// checksum of its settings, so that two experiments never share a folder. A
/// folder with this hash that is there already has the right name, whichever it is, when this very
/// name is not there: the same settings can be written in many ways, and are run once. Throws an
/// InputError when several have the hash.
std::filesystem::path run_folder(const std::filesystem::path& output, const std::string& experiment,
                                 const std::string& name, const std::string& resolved);

/// Every value of a resolved experiment file with its place: "batch_size.max", "64".
std::vector<std::pair<std::string, std::string>> values_by_place(const std::string& resolved);

/// Where the texts of two experiment.yaml differ first: "batch_size.max is 64 there and 128 here".
std::string first_difference(const std::string& there, const std::string& here);

/// Writes why a run could not go on to a file of its folder. If the file cannot be written, nothing
/// happens, as the failure itself is reported elsewhere.
void record_failure(const std::filesystem::path& folder, const std::string& why);

/// The failure that was recorded last, if there is one.
std::optional<std::string> recorded_failure(const std::filesystem::path& folder);

/// Removes the record of a failure, as the run begins or goes on.
void forget_failure(const std::filesystem::path& folder);

/// How far a run is.
enum class RunStatus {
  kMissing,     ///< nobody has started it
  kUnfinished,  ///< it runs, or was interrupted
  kFinished,    ///< its results are complete
  kDiverged,    ///< its results are complete and end with a loss or gradient that is not finite
  kFailed       ///< it could not go on when it was last tried
};

/// Whether the results of a run are complete, which they also are when it has diverged.
inline bool has_ended(RunStatus status) {
  return status == RunStatus::kFinished || status == RunStatus::kDiverged;
}

/// Whether the run of a folder has ended, or has a checkpoint to go on from, be it damaged.
bool has_ended_or_can_go_on(const std::filesystem::path& folder);

/// The status of the run that belongs to a folder, from the run's own files; a recorded failure is
/// not considered. Throws an InputError when the folder holds something else; where it is a run
/// with other settings, the message names the first key that differs. `resolved` is the text of
/// experiment.yaml.
RunStatus status_of_folder(const std::filesystem::path& folder, const std::string& resolved);

/// Thrown when another process holds the lock of a folder.
struct FolderInUse : InputError {
  using InputError::InputError;
};

/// Makes the folder and those around it and keeps other processes from writing there, until the
/// lock or its process is gone. Throws an InputError when it cannot be made or written, and
/// FolderInUse when another process holds it.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

/// Whether a process holds the lock of a folder; nothing where the file system cannot tell.
std::optional<bool> is_in_use(const std::filesystem::path& folder);

/// Removes files that were not finished, whose names end with ".new".
void remove_unfinished_files(const std::filesystem::path& folder);

/// Removes what a folder holds, in an order that leaves an unfinished run behind when it is
/// interrupted; checkpoints must have been removed before. Throws an InputError when that does not
/// work.
void empty_folder(const std::filesystem::path& folder);

struct RunEvents;
struct RunRequest;

/// Rank 0's claim on the folder of a run, and where that run stands.
struct Claim {
  bool has_finished = false;
  std::shared_ptr<FolderLock> lock = {};
  std::optional<Checkpoint> checkpoint = {};
};

/// What claim_folder() would refuse, or warn of; nothing is written or removed.
Diagnoses check_folder(const RunRequest& request, const std::filesystem::path& folder,
                       const std::string& settings, int workers, const CheckpointFacts& facts);

/// Claims the folder for a run of `workers` workers with these settings (the text of
/// experiment.yaml) and leaves there what it goes on from. A run that begins anew finds no
/// checkpoint there, and with --force nothing at all. `facts` are those of its checkpoints. Throws
/// an InputError when the folder holds something else.
Claim claim_folder(const RunRequest& request, const std::filesystem::path& folder,
                   const std::string& settings, int workers, const CheckpointFacts& facts,
                   const RunEvents& events);

}  // namespace localbatch
