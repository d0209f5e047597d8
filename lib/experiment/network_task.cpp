#include <algorithm>
#include <iterator>

#include "core/error.h"
#include "core/machine.h"
#include "data/image_files.h"
#include "experiment/run_experiment.h"
#include "experiment/training_task.h"
#include "train/network_worker.h"

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
        model_(experiment.make_model(dataset_.shape, dataset_.num_classes)),
        num_slots_(
            execution_slots(available_cores(), experiment.threads_per_worker, hosted_workers)),
        slots_(checked_model(), execution_options(experiment, experiment.micro_batch), num_slots_),
        setup_{.dataset = dataset_,
               .shares = shares_,
               .augmentation = experiment.augmentation,
               .model = model_,
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
    start.kernels = layer_kernels(model_, execution_options(experiment_, experiment_.micro_batch));
    start.parameters = total_size(parameter_tensors(model_));
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

 private:
  /// Large things are built only after everything has been checked.
  const Model& checked_model() const {
    check_augmentation(experiment_.augmentation, dataset_);
    check_nobody_is_left_out(shares_);
    check_kernels_are_used(experiment_.kernels, model_);
    return model_;
  }

  const Experiment& experiment_;
  Dataset dataset_;
  Shares shares_;
  Model model_;
  int num_slots_;
  SlotPool slots_;
  TrainingSetup setup_;
};

}  // namespace

std::unique_ptr<TrainingTask> make_network_task(const Experiment& experiment, int hosted_workers) {
  return std::make_unique<NetworkTask>(experiment, hosted_workers);
}

}  // namespace localbatch
