#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "comm/communicator.h"
#include "data/augmentation.h"
#include "data/dataset.h"
#include "data/sampler.h"
#include "optim/inner_optimizer.h"
#include "train/batch_norm_at_sync.h"
#include "train/slot_pool.h"
#include "train/worker.h"
#include "train/worker_state.h"

namespace localbatch {

/// What the workers of a process share.
struct TrainingSetup {
  const Dataset& dataset;
  const Shares& shares;  ///< of all workers; none: all draw from the whole set
  Augmentation augmentation;
  const Model& model;
  int micro_batch = 1;
  std::uint64_t seed = 1;
  InnerOptimizerFactory inner_optimizer;
  BatchNormAtSync batch_norm_at_sync = {};
  SampleNormalization sample_normalization = SampleNormalization::kBatchTerms;
  SlotPool& slots;
};

/// A worker that trains a network on images. It owns four flat arrays (parameters, gradient,
/// batch-norm statistics, optimizer state) and its place in the data; all else is borrowed or
/// shared.
class NetworkWorker final : public TrainingWorker {
 public:
  /// Starts at the parameters that (model, seed) give, the same on every worker.
  NetworkWorker(const TrainingSetup& setup, int worker, int num_workers);

  /// Local batches of any size: micro-batches are drawn and their gradients added with weights
  /// n_i/b, so memory does not depend on the local batch size. There are as few as possible, and
  /// their sizes differ by one image at most: batch norm sees micro-batches, and would make
  /// nonsense of a few images that are left over.
  double local_step(int local_batch_size, double learning_rate, ChunkGradients* chunks) override;
  using Worker::local_step;

  /// Network::sample_gradients() over micro-batches cut like those of a local step; a second time
  /// for inner products. An audit's samples are drawn from the worker's data with replacement.
  SampleGradients sample_gradients(const SampleRequest& request) override;

  std::span<float> parameters() override { return parameters_.span(); }
  std::span<const float> gradient() const override { return gradient_.span(); }
  void add_averaged_state(std::vector<Averaged>& averaged) override {
    state_.add_averaged(averaged);
  }
  std::vector<TensorView> averaged_state_tensors() override { return state_.averaged_tensors(); }
  /// Batch-norm statistics that are to be reset stay as they are until the next local step.
  void finish_synchronization() override;
  std::vector<TensorView> tensors() const override { return setup_.model.parameter_tensors(); }

  /// Loss and accuracy with the batch-norm statistics below on the whole test set, of which every
  /// worker does a share.
  TestResult evaluate(Communicator& comm) override;
  /// With the same statistics.
  FinalModel final_model(Communicator& comm) override;
  void visit_state(StateVisitor& visitor) override;
  const WorkerSeconds& seconds() const override { return seconds_; }

  /// The batch-norm statistics that belong to the averaged model: the mean over the workers of
  /// those at the end of their local steps, whatever the policy does to them at the
  /// synchronization, or recomputed ones. Collective.
  std::vector<float> evaluated_statistics(Communicator& comm);

  // The rest of what the next round depends on.
  std::span<float> statistics() { return state_.moments(); }
  InnerOptimizer& inner_optimizer() { return state_.optimizer(); }
  Sampler& sampler() { return sampler_; }

 private:
  SlotPool::Lease borrow_slot();
  void begin_round();
  std::vector<double> measured_statistics(int worker, int num_workers);
  Evaluation test_share(std::span<float> moments, int worker, int num_workers);
  /// Calls body(images) for as few micro-batches as make up `samples`, of nearly equal sizes.
  template <class Body>
  void for_each_micro_batch(int samples, const Body& body) const {
    int micro_batches = count_micro_batches(samples);
    for (int done = 0; done < samples; --micro_batches) {
      const int images = (samples - done + micro_batches - 1) / micro_batches;
      body(images);
      done += images;
    }
  }
  int count_micro_batches(int samples) const {
    return (samples + setup_.micro_batch - 1) / setup_.micro_batch;
  }
  /// Fills the slot with these training images.
  void prepare_images(ExecutionSlot& slot, std::span<const Draw> draws);
  /// Fills the slot with test images first .. first + count - 1, without those that are damaged and
  /// to be skipped; returns how many there are.
  std::size_t prepare_test_images(ExecutionSlot& slot, std::size_t first, std::size_t count);
  std::vector<Draw> draws_of(const SampleRequest& request) const;
  /// Of these images; returns their mean loss.
  double compute_gradient(ExecutionSlot& slot, int images, double weight, GradientUse use);

  const TrainingSetup& setup_;
  int worker_;
  Sampler sampler_;
  AlignedBuffer<float> parameters_, gradient_;
  NetworkState state_;
  std::vector<Draw> draws_;
  bool round_begins_ = true;  ///< no local step since the last synchronization
  WorkerSeconds seconds_;
};

}  // namespace localbatch
