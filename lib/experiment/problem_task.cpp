#include <optional>

#include "core/error.h"
#include "core/machine.h"
#include "experiment/run_experiment.h"
#include "experiment/training_task.h"
#include "train/problem_worker.h"

namespace localbatch {

namespace {

std::optional<Dataset> load_images(const Experiment& experiment) {
  if (!experiment.problem.needs_images) return {};
  Dataset dataset = experiment.load_dataset();
  if (dataset.train.files)
    fail_input("dataset: found images in files, allowed for a problem are images in memory");
  if (!dataset
           .partition(dataset.train.labels, dataset.num_classes, experiment.workers,
                      experiment.seed)
           .empty())
    fail_input(
        "dataset.partition: the workers of a problem draw from all its samples, allowed here is "
        "iid");
  return dataset;
}

std::unique_ptr<const Problem> make_problem(const ProblemChoice& choice,
                                            const std::optional<Dataset>& dataset) {
  if (!dataset) return choice.make({});
  return choice.make({.shape = dataset->shape,
                      .num_classes = dataset->num_classes,
                      .pixels = dataset->train.pixels,
                      .labels = dataset->train.labels});
}

/// An objective whose theory is known.
class ProblemTask final : public TrainingTask {
 public:
  ProblemTask(const Experiment& experiment, int hosted_workers)
      : hosted_workers_(hosted_workers),
        dataset_(load_images(experiment)),
        problem_(make_problem(experiment.problem, dataset_)),
        // Without a data set there is one epoch, the run.
        epoch_samples_(dataset_ ? static_cast<std::int64_t>(dataset_->train.size())
                                : experiment.method.max_samples),
        setup_{.problem = *problem_,
               .trace = experiment.problem.trace,
               .seed = experiment.seed,
               .inner_optimizer = experiment.inner_optimizer} {}

  void describe(RunStart& start) const override {
    std::vector<float> x(problem_->dimension());
    std::vector<double> gradient(x.size());
    problem_->initial_point(x);
    const ProblemFacts& facts = problem_->facts();
    start.problem = {.smoothness = facts.smoothness,
                     .strong_convexity = facts.strong_convexity,
                     .minimum = facts.minimum,
                     .initial_suboptimality = problem_->value(x, gradient) - facts.minimum,
                     .initial_squared_distance = problem_->squared_distance(x)};
    start.slots = execution_slots(available_cores(), 1, hosted_workers_);
    start.parameters = x.size();
    start.train_images = dataset_ ? dataset_->train.size() : 0;
  }

  std::uint64_t data_checksum() const override { return dataset_ ? checksum_of(*dataset_) : 0; }

  std::int64_t epoch_samples() const override { return epoch_samples_; }

  std::unique_ptr<TrainingWorker> make_worker(Communicator& comm) override {
    return std::make_unique<ProblemWorker>(setup_, comm);
  }

 private:
  int hosted_workers_;
  std::optional<Dataset> dataset_;
  std::unique_ptr<const Problem> problem_;
  std::int64_t epoch_samples_;
  ProblemSetup setup_;
};

}  // namespace

std::unique_ptr<TrainingTask> make_problem_task(const Experiment& experiment, int hosted_workers) {
  return std::make_unique<ProblemTask>(experiment, hosted_workers);
}

}  // namespace localbatch
