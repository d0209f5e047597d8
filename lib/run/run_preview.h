#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "doctor/doctor.h"
#include "run/requested_run.h"
#include "run/run_folder.h"

namespace localbatch {

class ProcessGroup;
struct RunRequest;

/// What a run would do with a cell of its file.
struct CellPreview {
  int number = 1;  ///< in the file; the first one is 1
  RequestedRun run;
  RunStatus status = RunStatus::kMissing;  ///< of its folder
  int same_as = 0;  ///< an earlier cell of the same settings, whose folder it is; 0: there is none
  bool skipped = false;            ///< it is that cell, or has ended
  bool replaces = false;           ///< by force, what the folder holds
  std::int64_t resumed_round = 0;  ///< of the checkpoint from which it goes on; 0: it begins
  Diagnoses found = {};            ///< what is wrong with it; empty for a skipped cell of a sweep
};

/// The cells of a file, or the one that is asked for, as a run of the request would find them.
/// What is wrong with one of them is in its list, what would keep the whole run from starting is
/// thrown. Writes nothing where the request is a dry run. Collective; the result is rank 0's.
std::vector<CellPreview> preview_run(const RunRequest& request, bool all_cells,
                                     ProcessGroup& processes, const std::vector<RankFacts>& ranks);

}  // namespace localbatch
