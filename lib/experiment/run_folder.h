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

/// Where the texts of two experiment.yaml differ first: "batch_size.max is 64 there and 128 here".
std::string first_difference(const std::string& there, const std::string& here);

/// What a folder holds of a run with given settings.
enum class FolderState {
  kEmpty,       ///< nothing, or there is no folder
  kUnfinished,  ///< files of a run with these settings that has not ended
  kFinished,    ///< its results
};

/// Throws an InputError when the folder holds something else; where it is a run with other
/// settings, the message names the first key that differs. `resolved` is the text of
/// experiment.yaml.
FolderState state_of_folder(const std::filesystem::path& folder, const std::string& resolved);

/// Makes the folder and those around it and keeps other processes from writing there, until the
/// lock or its process is gone. Throws an InputError when it cannot be made or written, or when
/// another process holds it.
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
