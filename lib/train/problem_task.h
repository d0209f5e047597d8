#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "data/resident_images.h"
#include "problems/problem.h"
#include "train/problem_worker.h"
#include "train/task.h"

namespace localbatch {

/// Minimizes an objective whose theory is known.
class ProblemTask final : public Task {
 public:
  /// `dataset` is looked at where the problem is one on images. Throws an InputError for data that
  /// cannot be loaded or that the problem has no use for.
  ProblemTask(const ProblemFactory& problem, const std::optional<DatasetFactory>& dataset,
              const WorkerSettings& workers);

  TaskFacts facts() const override;
  std::uint64_t data_checksum() const override;
  std::vector<MemoryPart> memory(int hosted_workers, int slots) const override;
  int allocate(int hosted_workers, int cores) override;
  std::unique_ptr<TrainingWorker> make_worker(Communicator& comm) override;
  std::unique_ptr<TrainingWorker> make_dry_worker(Communicator& comm) const override;

 private:
  std::optional<ResidentImages> images_;
  std::unique_ptr<const Problem> problem_;
  std::int64_t epoch_samples_;
  ProblemSetup setup_;
};

}  // namespace localbatch
