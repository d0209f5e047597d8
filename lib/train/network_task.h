#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "data/dataset.h"
#include "nn/execution.h"
#include "nn/initial_file.h"
#include "nn/kernels_file.h"
#include "nn/model.h"
#include "train/network_worker.h"
#include "train/task.h"
#include "train/worker_state.h"

namespace localbatch {

/// A network and the data that it is trained on.
struct NetworkSettings {
  DatasetFactory dataset;
  Augmentation augmentation;
  ModelFactory model;
  std::optional<InitialFile> initial = {};  ///< none: random values
  Precision precision = Precision::kFloat32;
  ConvolutionRule convolution = ConvolutionRule::kAuto;
  std::optional<KernelsFile> kernels = {};  ///< none: the rule decides
  int micro_batch = 64;
  double label_smoothing = 0;
  BatchNormAtSync batch_norm_at_sync = {};
};

/// Trains a network on a data set.
class NetworkTask final : public Task {
 public:
  /// Throws an InputError for data that cannot be loaded, and for parts that do not fit together.
  NetworkTask(const NetworkSettings& settings, const WorkerSettings& workers);

  TaskFacts facts() const override;
  std::uint64_t data_checksum() const override { return dataset_->checksum(); }
  std::vector<std::string> take_warnings() override { return dataset_->take_warnings(); }
  std::vector<MemoryPart> memory(int hosted_workers, int slots) const override;
  int allocate(int hosted_workers, int cores) override;
  std::unique_ptr<TrainingWorker> make_worker(Communicator& comm) override;
  std::unique_ptr<TrainingWorker> make_dry_worker(Communicator& comm) const override;

 private:
  ExecutionOptions execution_;
  std::unique_ptr<Dataset> dataset_;
  std::optional<Shares> shares_;
  std::shared_ptr<const Model> model_;
  std::optional<ModelValues> initial_;
  std::optional<SlotPool> slots_;  ///< none before allocate()
  TrainingSetup setup_;
};

}  // namespace localbatch
