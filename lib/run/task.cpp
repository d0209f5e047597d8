#include "run/task.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "core/error.h"
#include "core/machine.h"
#include "data/image_folder.h"
#include "run/run_experiment.h"
#include "train/dry_run.h"
#include "train/network_worker.h"
#include "train/problem_worker.h"

namespace localbatch {

namespace {

void check_nobody_is_left_out(const Shares& shares) {
  for (std::size_t worker = 0; worker < shares.size(); ++worker)
    if (shares[worker].empty())
      fail_input(
          "dataset.partition: worker {} of {} would get no training image; use fewer workers, "
          "another seed or a more even partition",
          worker, shares.size());
}

/// A network on images.
class NetworkTask final : public TrainingTask {
 public:
  NetworkTask(const Experiment& experiment, int hosted_workers)
      : experiment_(experiment),
        dataset_(experiment.load_dataset()),
        shares_(dataset_.partition(dataset_.train.labels, dataset_.num_classes, experiment.workers,
                                   experiment.seed)),
        model_(
            experiment.make_model({.image = dataset_.shape, .num_classes = dataset_.num_classes})),
        num_slots_(
            execution_slots(available_cores(), experiment.threads_per_worker, hosted_workers)),
        slots_(checked_model(), execution_options(experiment, experiment.micro_batch), num_slots_),
        setup_{.dataset = dataset_,
               .shares = shares_,
               .augmentation = experiment.augmentation,
               .model = *model_,
               .micro_batch = experiment.micro_batch,
               .seed = experiment.seed,
               .inner_optimizer = experiment.inner_optimizer,
               .batch_norm_at_sync = experiment.batch_norm_at_sync,
               .sample_normalization = experiment.method.statistics.sample_normalization,
               .slots = slots_} {}

  void describe(RunStart& start) const override {
    start.slots = num_slots_;
    start.precision = experiment_.precision;
    start.convolution = experiment_.convolution;
    start.kernels = model_->kernels(execution_options(experiment_, experiment_.micro_batch));
    start.parameters = model_->parameter_count();
    start.train_images = dataset_.train.size();
    start.test_images = dataset_.test.size();
  }

  std::uint64_t data_checksum() const override { return checksum_of(dataset_); }

  std::int64_t epoch_samples() const override {
    return static_cast<std::int64_t>(dataset_.train.size());
  }

  std::vector<std::string> take_warnings() override {
    std::vector<std::string> warnings;
    for (const ImageSet* const set : {&dataset_.train, &dataset_.test})
      if (set->files) std::ranges::move(set->files->take_reports(), std::back_inserter(warnings));
    return warnings;
  }

  std::unique_ptr<TrainingWorker> make_worker(Communicator& comm) override {
    return std::make_unique<NetworkWorker>(setup_, comm.worker(), comm.num_workers());
  }

  std::unique_ptr<TrainingWorker> make_dry_worker(Communicator& /*comm*/) override {
    return std::make_unique<DryNetworkWorker>(
        setup_.inner_optimizer, setup_.batch_norm_at_sync, model_->parameter_tensors(),
        model_->running_moment_tensors());
  }

 private:
  /// Large things are built only after everything has been checked.
  const Model& checked_model() const {
    check_augmentation(experiment_.augmentation, dataset_);
    check_nobody_is_left_out(shares_);
    check_kernels_are_used(experiment_.kernels, *model_);
    return *model_;
  }

  const Experiment& experiment_;
  Dataset dataset_;
  Shares shares_;
  std::unique_ptr<const Model> model_;
  int num_slots_;
  SlotPool slots_;
  TrainingSetup setup_;
};

}  // namespace

std::unique_ptr<TrainingTask> make_network_task(const Experiment& experiment, int hosted_workers) {
  return std::make_unique<NetworkTask>(experiment, hosted_workers);
}

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

std::unique_ptr<const Problem> make_problem(const ProblemFactory& choice,
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

  std::unique_ptr<TrainingWorker> make_dry_worker(Communicator& comm) override {
    return make_worker(comm);
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
