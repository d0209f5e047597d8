#pragma once

#include <memory>
#include <optional>
#include <string>

#include "run/checkpoints.h"

namespace localbatch {

class FolderLock;
struct RunEvents;
struct RunRequest;

/// Rank 0's claim on the folder of a run, and where that run stands.
struct Claim {
  bool has_finished = false;
  std::shared_ptr<FolderLock> lock;
  std::optional<Checkpoint> checkpoint;
};

/// Claims the folder for a run of `workers` workers with these settings (the text of
/// experiment.yaml) and leaves there what it goes on from, or nothing. `facts` are those of its
/// checkpoints. Throws an InputError when the folder holds something else.
Claim claim_folder(const RunRequest& request, const std::filesystem::path& folder,
                   const std::string& settings, int workers, const CheckpointFacts& facts,
                   const RunEvents& events);

}  // namespace localbatch
