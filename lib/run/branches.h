#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "core/csv.h"
#include "experiment/branch.h"
#include "run/run_experiment.h"

namespace localbatch {

// Branches of a run lie in folders below its own. Each is a run like any other: a copy of the run's
// curves and of a checkpoint that it kept, with settings that say how it goes on. So it has the
// same bytes on any number of ranks, and goes on where it was interrupted.

/// `<run>/branches/at=100000-b=64-samples=50000-repeat=1`
std::filesystem::path branch_folder(const std::filesystem::path& run, const Branch& branch);

/// Throws an InputError where one of the branches that are not there yet cannot be made: the run is
/// none, is a branch itself, or has not kept the checkpoint; or the branch would end behind the
/// run, or have so few samples that its local steps had to be much smaller than its local batch.
void check_branches(const std::filesystem::path& run, std::span<const Branch> branches);

/// Makes the folder of a branch that has been checked, unless it is there; whether it was not.
bool prepare_branch(const std::filesystem::path& run, const Branch& branch);

/// Removes one that was made of files that do not fit each other.
void discard_branch(const std::filesystem::path& run, const Branch& branch);

/// The branches of a run that have ended, whoever asked for them, in the order of branches_of().
std::vector<Branch> finished_branches(const std::filesystem::path& run);

/// What runs a branch whose folder is there, or goes on with it.
RunRequest branch_request(const std::filesystem::path& run, const Branch& branch);

/// Where a branch has ended.
struct BranchEnd {
  Branch branch;
  std::int64_t rounds = 0, samples = 0;   ///< of run and branch together
  std::optional<double> train_loss = {};  ///< mean of the branch over samples
  std::optional<double> test_loss = {};   ///< nothing: it has diverged
  std::optional<double> test_accuracy = {};
};

/// From the branch's own curves.
BranchEnd read_branch_end(const std::filesystem::path& run, const Branch& branch);

/// The largest of the local batch sizes that were tried at a point which makes the loss no worse.
struct CriticalBatchSize {
  std::int64_t at = 0;       ///< samples of the run
  int local_batch_size = 0;  ///< the median of the repeats, the lower one of two; 0 without one
  int lowest = 0, highest = 0;
  int repeats = 0;
  int largest_tried = 0;  ///< where this is the critical one, it only bounds that from below
};

/// One for every point. In each repeat it is the size up to which no branch has more than
/// `tolerance` above the loss of the smallest one; losses are those at equal samples, of branches
/// that saw the same data. A repeat counts that has all sizes which were tried at the point, and a
/// loss of the smallest.
std::vector<CriticalBatchSize> critical_batch_sizes(std::span<const BranchEnd> ends,
                                                    BranchLoss loss, double tolerance);

std::span<const CsvColumn<BranchEnd>> branch_columns();
std::span<const CsvColumn<CriticalBatchSize>> critical_batch_size_columns();

/// Writes branches.csv, of all branches of the run that have ended, and critical_batch_sizes.csv,
/// of those among them that are as long as the plan says, into the folder of the run. Returns the
/// latter.
std::vector<CriticalBatchSize> tabulate_branches(const std::filesystem::path& run,
                                                 const BranchPlan& plan);

}  // namespace localbatch
