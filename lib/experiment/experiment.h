#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/options.h"
#include "experiment/branch.h"
#include "experiment/task.h"
#include "optim/inner_optimizer.h"
#include "optim/outer_optimizer.h"
#include "train/method.h"

namespace localbatch {

/// A controller that looks and does not act.
struct ShadowController {
  std::string settings;  ///< name and keys, "norm_test eta=0.8"
  std::shared_ptr<const BatchSizeController> controller;
};

/// An experiment file with all its keys read and checked, and the file of kernels that it names.
/// Nothing else is loaded or allocated yet.
struct Experiment {
  std::string name;
  std::uint64_t seed = 1;
  int workers = 1;
  int threads_per_worker = 1;
  std::shared_ptr<const TaskFactory> task;  ///< what is trained
  InnerOptimizerFactory inner_optimizer;
  OuterOptimizerFactory make_outer_optimizer;
  LocalSgd method;
  std::vector<ShadowController> shadow_controllers;
  std::int64_t evaluate_every_samples = 0;  ///< 0: once per epoch
  std::int64_t max_test_samples = 0;        ///< of an evaluation; 0: all
  std::int64_t averaged_over = 0;           ///< samples, see AveragedWeights; 0: not evaluated
  std::optional<BranchPlan> branches;
  std::vector<std::int64_t> kept_checkpoints;  ///< samples, ascending, those of branches included
  std::optional<Branch> branch;                ///< where it is one
  std::int64_t passed_over = 0;                ///< samples of its data that each worker leaves out

  std::vector<Declaration> resolved;  ///< every key with the value that was used

  /// Threads that work on a local step of one worker.
  int worker_threads() const { return task->threads(threads_per_worker); }
};

/// Reads all keys. Throws an InputError that says where for anything unknown, missing, of the wrong
/// type or out of range, and for a precision or an algorithm of convolutions that the model or this
/// CPU has no use for.
Experiment read_experiment(Options options, bool cpu_has_bfloat16 = supports_bfloat16());

/// What a task is wanted for.
enum class TaskUse {
  kTraining,
  kOutline,  ///< its facts, arrays and meetings: data are read only where sizes do not tell them
};

/// Loads the data of an experiment and builds what it trains. Throws an InputError for what cannot
/// be loaded or does not fit together.
std::unique_ptr<Task> load_task(const Experiment& experiment, TaskUse use = TaskUse::kTraining);

/// Settings that are legal and do nothing, or harm: a line for each, without place, for a warning.
std::vector<std::string> doubtful_settings(const Experiment& experiment, const TaskFacts& facts);

/// One implementation of an exchangeable part, or what a part has in common.
struct PartDescription {
  /// Key in the experiment file, "batch_size_controller"; "dataset.partition" for a choice within a
  /// part, whose keys stand beside it in that part; empty: the top level.
  std::string part;
  std::string name;    ///< the implementation; empty for what all of them share
  std::string choice;  ///< the key that selects it: "name", or the last word of `part`
  std::string summary;
  std::string formula;  ///< as PartRow has it, and so is `source`
  std::string source;
  std::vector<Declaration> keys;
  bool may_be_absent = false;  ///< see Declaration
};

/// Every part with every key, in the order of an experiment file. A choice within a part follows
/// the part.
std::vector<PartDescription> describe_parts();

}  // namespace localbatch
