#include "train/network_task.h"

#include "core/error.h"
#include "data/alphabet.h"
#include "data/held_out.h"
#include "train/dry_run.h"

namespace localbatch {

namespace {

void check_nobody_is_left_out(const std::optional<Shares>& shares, std::string_view unit) {
  if (!shares) return;
  for (std::size_t worker = 0; worker < shares->size(); ++worker)
    if ((*shares)[worker].empty())
      fail_input(
          "dataset.partition: worker {} of {} would get no training {}; use fewer workers, another "
          "seed or a more even partition",
          worker, shares->size(), unit);
}

std::unique_ptr<Dataset> make_dataset(const NetworkSettings& settings,
                                      const WorkerSettings& workers) {
  const DatasetFactory& dataset = settings.dataset;
  const bool outline =
      workers.only_outline && dataset.outline && !dataset.partition.looks_at_classes;
  std::unique_ptr<Dataset> whole =
      outline ? dataset.outline(settings.augmentation) : dataset.load(settings.augmentation);
  return dataset.held_out == 0 ? std::move(whole) : hold_out(std::move(whole), dataset.held_out);
}

std::string summary_of(const Dataset& dataset) {
  const std::string validation = dataset.validation_size() == 0
                                     ? ""
                                     : fmt::format(", {} validation", dataset.validation_size());
  return fmt::format("{} training{} and {} test {}", dataset.train_size(), validation,
                     dataset.test_size(), dataset.unit());
}

std::shared_ptr<const Alphabet> alphabet_of(const Dataset& dataset) {
  const Alphabet* const alphabet = dataset.alphabet();
  return alphabet == nullptr ? nullptr : std::make_shared<const Alphabet>(*alphabet);
}

ExecutionOptions execution_options(const NetworkSettings& settings, int threads) {
  return {.max_samples = settings.micro_batch,
          .threads = threads,
          .precision = settings.precision,
          .convolution = settings.convolution,
          .kernels = settings.kernels ? settings.kernels->choices : KernelChoices(),
          .label_smoothing = settings.label_smoothing};
}

}  // namespace

NetworkTask::NetworkTask(const NetworkSettings& settings, const WorkerSettings& workers)
    : execution_(execution_options(settings, workers.threads)),
      dataset_(make_dataset(settings, workers)),
      shares_(settings.dataset.partition(
          {.count = dataset_->train_size(), .classes = dataset_->classes()}, workers.num_workers,
          workers.seed)),
      model_(settings.model.make(dataset_->sample_shape())),
      initial_(settings.initial ? std::optional(read_initial_values(*settings.initial, *model_))
                                : std::nullopt),
      setup_{.dataset = *dataset_,
             .shares = shares_,
             .model = *model_,
             .micro_batch = settings.micro_batch,
             .seed = workers.seed,
             .inner_optimizer = workers.inner_optimizer,
             .batch_norm_at_sync = settings.batch_norm_at_sync,
             .max_test_samples = workers.max_test_samples,
             .passed_over = workers.passed_over,
             .initial = initial_ ? &*initial_ : nullptr} {
  check_nobody_is_left_out(shares_, dataset_->unit());
  if (settings.kernels) check_kernels_are_used(*settings.kernels, *model_);
}

TaskFacts NetworkTask::facts() const {
  const SampleShape sample = dataset_->sample_shape();
  const EvaluatedSamples evaluated(dataset_->test_size(), setup_.max_test_samples);
  return {.summary = summary_of(*dataset_),
          .parameters = model_->parameter_count(),
          .running_moments = model_->running_moment_count(),
          .train_samples = dataset_->train_size(),
          .test_samples = dataset_->test_size(),
          .evaluated_samples = evaluated.size(),
          .validation_samples = dataset_->validation_size(),
          .tokens_per_sample = sample.window() == nullptr ? 0 : sample.window()->length,
          .epoch_samples = static_cast<std::int64_t>(dataset_->train_size()),
          .network = NetworkFacts{
              .model = model_, .execution = execution_, .alphabet = alphabet_of(*dataset_)}};
}

std::vector<MemoryPart> NetworkTask::memory(int /*hosted_workers*/, int slots) const {
  const auto micro_batch = static_cast<std::size_t>(execution_.max_samples);
  const std::size_t slot =
      model_->predicted_bytes(execution_) + micro_batch * dataset_->sample_shape().input_bytes();
  const std::size_t initial =
      initial_ ? initial_->parameters.size() + initial_->running_moments.size() : 0;
  return {{"execution slots", static_cast<std::size_t>(slots) * slot},
          {"data set", dataset_->bytes()},
          {"initial values", initial * sizeof(float)}};
}

int NetworkTask::allocate(int hosted_workers, int cores) {
  const int count = execution_slots(cores, execution_.threads, hosted_workers);
  slots_.emplace(*model_, execution_, count);
  return count;
}

std::unique_ptr<TrainingWorker> NetworkTask::make_worker(Communicator& comm) {
  check(slots_.has_value(), "memory is allocated before workers are made");
  return std::make_unique<NetworkWorker>(setup_, *slots_, comm.worker(), comm.num_workers());
}

std::unique_ptr<TrainingWorker> NetworkTask::make_dry_worker(Communicator& /*comm*/) const {
  return std::make_unique<DryNetworkWorker>(
      setup_.inner_optimizer, setup_.batch_norm_at_sync, model_->parameter_tensors(),
      model_->running_moment_tensors(), dataset_->validation_size() > 0 ? 2 : 1);
}

}  // namespace localbatch
