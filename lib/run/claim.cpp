#include "run/claim.h"

#include <fmt/core.h>

#include "core/error.h"
#include "run/run_experiment.h"
#include "run/run_folder.h"
#include "run/run_request.h"

namespace localbatch {

namespace {

/// Throws an InputError where the request does not fit what the folder holds.
void check_status(const RunRequest& request, const std::filesystem::path& folder,
                  RunStatus status) {
  if (has_ended(status))
    fail_input("{}: holds results already; --force replaces them, --output writes elsewhere",
               folder.string());
  if (status == RunStatus::kMissing && !request.resumed_folder.empty())
    fail_input("{}: holds no unfinished run", folder.string());
}

/// Whether a run with these facts can go on from the checkpoint.
void check_facts(const Checkpoint& checkpoint, const CheckpointFacts& facts,
                 const RunEvents& events) {
  const std::string path = checkpoint.path.string();
  const CheckpointFacts& theirs = checkpoint.facts;
  if (theirs.made_by != facts.made_by)
    events.on_warning(
        fmt::format("{} was made by {}, and this is {}: the curves may not be those of a run that "
                    "was not interrupted",
                    path, theirs.made_by, facts.made_by));
  if (theirs.data != facts.data)
    fail_input("{}: the data are not those that the run began with; --force begins anew", path);
}

}  // namespace

Claim claim_folder(const RunRequest& request, const std::filesystem::path& folder,
                   const std::string& settings, int workers, const CheckpointFacts& facts,
                   const RunEvents& events) {
  const RunStatus status = request.force ? RunStatus::kMissing : status_of_folder(folder, settings);
  Claim claim;
  claim.has_finished = has_ended(status) && request.resume;
  if (claim.has_finished) {
    // The earlier run may have been killed before it cleaned up.
    remove_checkpoints(folder);
    remove_unfinished_files(folder);
    return claim;
  }
  check_status(request, folder, status);
  claim.lock = std::make_shared<FolderLock>(folder);
  forget_failure(folder);
  if (!request.force && status_of_folder(folder, settings) != status)
    fail_input("{}: another process has just written there", folder.string());
  if (status == RunStatus::kUnfinished) claim.checkpoint = newest_checkpoint(folder, workers);
  if (claim.checkpoint) {
    remove_unfinished_files(folder);
    check_facts(*claim.checkpoint, facts, events);
  } else {
    remove_checkpoints(folder);  // first: without the curves they are of no use
    empty_folder(folder);
  }
  return claim;
}

}  // namespace localbatch
