#include "experiment/task.h"

#include <utility>

#include "core/error.h"
#include "experiment/network_factory.h"
#include "train/problem_task.h"

namespace localbatch {

namespace {

/// An objective whose theory is known. Of the parts of a file it has a data set, where it is one on
/// images, and none of those of a network.
class ProblemTaskFactory final : public TaskFactory {
 public:
  explicit ProblemTaskFactory(ProblemFactory problem) : problem_(std::move(problem)) {}

  void read_parts(Options& file, bool /*cpu_has_bfloat16*/) override {
    if (!problem_.needs_images) return;
    dataset_ = read_dataset(file);
    if (dataset_->held_out > 0)
      file.fail("dataset",
                "found 'validation', which is for problem: network; the workers of "
                "others draw from all samples");
  }
  int threads(int /*threads_per_worker*/) const override { return 1; }
  std::optional<int> micro_batch() const override { return {}; }
  bool has_network() const override { return false; }
  std::unique_ptr<Task> load(const WorkerSettings& workers) const override {
    return std::make_unique<ProblemTask>(problem_, dataset_, workers);
  }

 private:
  ProblemFactory problem_;
  std::optional<DatasetFactory> dataset_;
};

}  // namespace

std::vector<TaskRow> task_table() {
  std::vector<TaskRow> rows{
      {.name = "network",
       .summary = "the training loss of a network on images or text: data set and model are parts "
                  "of the file",
       .make = [](Options&) { return std::make_shared<NetworkTaskFactory>(); }}};
  for (const PartRow<ProblemFactory>& row : problem_table())
    rows.push_back({.name = row.name,
                    .summary = row.summary,
                    .make =
                        [make = row.make](Options& options) {
                          return std::make_shared<ProblemTaskFactory>(make(options));
                        },
                    .formula = row.formula,
                    .source = row.source});
  return rows;
}

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const TaskRow& row : task_table()) names.emplace_back(row.name);
  return names;
}

std::shared_ptr<TaskFactory> read_task(Options& file, bool cpu_has_bfloat16) {
  Options options = file.part(
      "problem",
      "what is minimized: the loss of a network, or an objective whose theory is known. The "
      "latter has no augmentation, model, precision or other part of a network, and a "
      "dataset only where it needs one");
  const std::string name = options.choice(
      "name", {.fallback = "network", .choices = task_names(), .meaning = "which implementation"});
  for (const TaskRow& row : task_table()) {
    if (row.name != name) continue;
    std::shared_ptr<TaskFactory> task = row.make(options);
    task->read_parts(file, cpu_has_bfloat16);
    return task;
  }
  internal_error("a choice is one of the names in its table");
}

}  // namespace localbatch
