#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/options.h"

namespace localbatch {

struct Experiment;

/// A branch of a run: it goes on from one of the run's checkpoints with a constant local batch of
/// its own, and ends early. Learning rates are those of the run at so many samples, changed by its
/// coupling to the batch size. What critical batch sizes are measured by (Merrill et al. 2025,
/// arXiv 2505.23971).
struct Branch {
  std::int64_t at = 0;  ///< the checkpoint behind the first round that reached so many samples
  int local_batch_size = 1;
  std::int64_t samples = 0;  ///< of all workers together; it ends at `at` + `samples`
  /// The first one sees the data that the run itself saw next, each further one those behind the
  /// data of the one before.
  int repeat = 1;
};

/// What branches are compared by: the mean training loss of all their rounds, over many samples, or
/// the test loss of the averaged model at their end, which is that of one moment.
enum class BranchLoss { kTrain, kTest };

/// Which branches of a run are to be compared.
struct BranchPlan {
  std::vector<std::int64_t> at;                 ///< ascending
  std::vector<std::int64_t> local_batch_sizes;  ///< ascending
  std::int64_t samples = 0;
  int repeats = 1;
  BranchLoss loss = BranchLoss::kTrain;
  double tolerance = 0;  ///< of that loss, see critical_batch_sizes()
};

/// The part `branches` of a run of so many samples; nothing where the file has none.
std::optional<BranchPlan> read_branch_plan(Options& file, std::int64_t max_samples);

/// The part `checkpoint`: samples at which checkpoints are kept beside those of the branch plan.
std::vector<std::int64_t> read_kept_checkpoints(Options& file, std::int64_t max_samples);

/// The part `branch`, by which a branch's own settings differ from those of the run.
std::optional<Branch> read_branch(Options& file);

/// Makes the experiment of a run that of its branch: nobody decides about its local batch
/// size.
void become_branch(const Branch& branch, Experiment& experiment);

/// The samples at which a run with these resolved settings ends: those of a branch name the budget
/// of the run it is of as well, which it does not go on to. 0 where they do not say.
std::int64_t samples_at_end(std::span<const KeyValue> settings);

/// Every branch of the plan, by points, then by repeats, then by local batch sizes.
std::vector<Branch> branches_of(const BranchPlan& plan);

}  // namespace localbatch
