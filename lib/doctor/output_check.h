#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "doctor/doctor.h"

namespace localbatch {

/// The state of the place where results are to go.
struct OutputFacts {
  std::filesystem::path folder = {};   ///< of the results; it need not be there yet
  std::filesystem::path nearest = {};  ///< folder at or above it that is there
  std::string failure = {};       ///< of writing, replacing and removing a file in it, or empty
  std::uint64_t bytes_there = 0;  ///< of the files in `folder`, which belong to the same run
  std::optional<std::uint64_t> free_bytes =
      {};                      ///< for this user; nothing: the system does not tell
  bool has_files_left = true;  ///< some file systems count their files
};

/// Writes a file of a few bytes beside what is there, as a run writes its files, replaces it and
/// removes it; or, where it may not, asks the system for permission only.
OutputFacts look_at_output(const std::filesystem::path& folder, bool may_write = true);

/// Can results be written, and is there room for them? Files of the run that are there already need
/// no more room.
Diagnoses check_output(const OutputFacts& output, const Launch& launch);

}  // namespace localbatch
