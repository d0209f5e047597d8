#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "experiment/task.h"
#include "train/network_task.h"

namespace localbatch {

/// A network on a data set, as an experiment file describes it.
class NetworkTaskFactory final : public TaskFactory {
 public:
  const NetworkSettings& settings() const { return settings_; }

  /// Throws an InputError that says where for a precision or an algorithm of convolutions that the
  /// model or this CPU has no use for.
  void read_parts(Options& file, bool cpu_has_bfloat16) override;
  void read_batch_size(Options& batch_size) override;
  void read_synchronization(Options& file) override;
  void complete(std::vector<Declaration>& resolved) const override;
  std::vector<SettingsFile> files() const override;

  int threads(int threads_per_worker) const override { return threads_per_worker; }
  std::optional<int> micro_batch() const override { return settings_.micro_batch; }
  bool couples_samples() const override { return settings_.model.has_batch_norm; }
  bool evaluates_any_parameters() const override {
    return !couples_samples() ||
           settings_.batch_norm_at_sync.policy == BatchNormAtSync::Policy::kRecompute;
  }
  bool has_network() const override { return true; }
  bool has_validation() const override { return settings_.dataset.held_out > 0; }
  std::unique_ptr<Task> load(const WorkerSettings& workers) const override;

 private:
  NetworkSettings settings_;
};

/// Reads the part `dataset`.
DatasetFactory read_dataset(Options& file);

}  // namespace localbatch
