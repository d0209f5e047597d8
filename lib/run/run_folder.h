#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"

namespace localbatch {

/// The readable part of a run's name: that of its cell in a sweep and the settings that were given
/// on the command line ("H=8-seed=1-eta=0.9"), or "run" without either.
std::string run_name(const std::string& cell_name, const std::vector<std::string>& settings);

/// `<output>/<experiment>/<name>-<hash>`, with the first eight hexadecimal digits of a hash
/// (FNV-1a, 64 bits) of the resolved experiment file, so that two experiments never share a folder.
std::filesystem::path run_folder(const std::filesystem::path& output, const std::string& experiment,
                                 const std::string& name, const std::string& resolved);

/// Where the texts of two experiment.yaml differ first: "batch_size.max is 64 there and 128 here".
std::string first_difference(const std::string& there, const std::string& here);

/// Notes in a file of the folder why a run there could not go on. Where the file cannot be written
/// nothing happens: the failure is what counts.
void record_failure(const std::filesystem::path& folder, const std::string& why);

/// What was noted there last.
std::optional<std::string> recorded_failure(const std::filesystem::path& folder);

/// For a run that begins, or goes on.
void forget_failure(const std::filesystem::path& folder);

/// What a folder holds of a run with given settings; a recorded failure alone is nothing.
enum class FolderState {
  kEmpty,       ///< nothing, or there is no folder
  kUnfinished,  ///< files of a run with these settings that has not ended
  kFinished,    ///< its results
};

/// Throws an InputError when the folder holds something else; where it is a run with other
/// settings, the message names the first key that differs. `resolved` is the text of
/// experiment.yaml.
FolderState state_of_folder(const std::filesystem::path& folder, const std::string& resolved);

/// Another process has the lock.
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

/// Removes files that were not finished, whose names end with ".new".
void remove_unfinished_files(const std::filesystem::path& folder);

/// Removes what a folder holds, in an order that leaves an unfinished run behind when it is
/// interrupted; checkpoints must have been removed before. Throws an InputError when that does not
/// work.
void empty_folder(const std::filesystem::path& folder);

}  // namespace localbatch
