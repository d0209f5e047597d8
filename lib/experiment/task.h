#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/options.h"
#include "train/task.h"

namespace localbatch {

/// A file whose content is a part of the settings of a run, which therefore keeps a copy.
struct SettingsFile {
  std::string name;  ///< of the copy
  std::string text;
};

/// What a run trains, as an experiment file describes it. It reads the parts of the file that are
/// its own; everybody else asks it and need not know which task it is.
class TaskFactory {
 public:
  virtual ~TaskFactory() = default;

  // The keys of an experiment file have an order, so a task reads its own in three pieces.

  /// Reads the parts at the top level, data set and model among them.
  virtual void read_parts(Options& file, bool cpu_has_bfloat16) = 0;
  /// Reads keys within `batch_size`.
  virtual void read_batch_size(Options& /*batch_size*/) {}
  /// Reads what is to be done with state of the task's own at a synchronization.
  virtual void read_synchronization(Options& /*file*/) {}
  /// Puts what only reading files could tell into the settings that a run records.
  virtual void complete(std::vector<Declaration>& /*resolved*/) const {}

  /// Files whose content belongs to the settings.
  virtual std::vector<SettingsFile> files() const { return {}; }

  /// Threads that work on a local step of one worker, where the experiment allows so many.
  virtual int threads(int threads_per_worker) const = 0;

  /// Most samples whose gradients are computed at once, where a local batch is added up from
  /// micro-batches.
  virtual std::optional<int> micro_batch() const = 0;

  /// Whether the gradient of a sample depends on the others of its micro-batch.
  virtual bool couples_samples() const { return false; }

  /// Whether an evaluation takes nothing from training but the parameters, so that others can be
  /// evaluated in their place.
  virtual bool evaluates_any_parameters() const { return false; }

  /// Whether a network is trained.
  virtual bool has_network() const = 0;

  /// Whether samples are held out of training and evaluated.
  virtual bool has_validation() const { return false; }

  /// Loads data and builds the task. Throws an InputError for what cannot be loaded or does not fit
  /// together.
  virtual std::unique_ptr<Task> load(const WorkerSettings& workers) const = 0;
};

/// One task that a file can name under `problem`.
struct TaskRow {
  std::string_view name;
  std::string_view summary;  ///< one line
  std::function<std::shared_ptr<TaskFactory>(Options&)> make;
  std::string_view formula = {};  ///< as PartRow has it, and so is `source`
  std::string_view source = {};
};

/// network, and every problem of problem_table().
std::vector<TaskRow> task_table();
std::vector<std::string> task_names();

/// Reads `problem` and the parts that belong to what it names.
std::shared_ptr<TaskFactory> read_task(Options& file, bool cpu_has_bfloat16);

/// Reads an exchangeable part: the mapping under `key` and the implementation that its name
/// selects.
template <class Part>
Part read_part(Options& file, std::string_view key, std::span<const PartRow<Part>> table,
               std::string_view fallback, std::string_view meaning) {
  Options part = file.part(key, meaning);
  return make_part(table, part, fallback, "which implementation");
}

}  // namespace localbatch
