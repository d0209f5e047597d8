#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "comm/communicator.h"
#include "core/aligned_buffer.h"
#include "data/dataset.h"
#include "data/sampler.h"
#include "nn/initial_file.h"
#include "optim/inner_optimizer.h"
#include "train/slot_pool.h"
#include "train/worker.h"
#include "train/worker_state.h"

namespace localbatch {

/// What the workers of a process share.
struct TrainingSetup {
  const Dataset& dataset;
  const std::optional<Shares>& shares;  ///< of all workers; none: all draw from the whole set
  const Model& model;
  int micro_batch = 1;
  std::uint64_t seed = 1;
  InnerOptimizerFactory inner_optimizer;
  BatchNormAtSync batch_norm_at_sync = {};
  std::int64_t max_test_samples = 0;     ///< of an evaluation; 0: all
  std::int64_t passed_over = 0;          ///< see WorkerSettings
  const ModelValues* initial = nullptr;  ///< null: what (model, seed) give
};

/// A worker that trains a network on a data set. It owns four flat arrays (parameters, gradient,
/// running moments of batch norm, optimizer state) and its place in the data; all else is borrowed
/// or shared.
class NetworkWorker final : public TrainingWorker {
 public:
  /// Starts at the setup's initial values, or those that (model, seed) give: the same on every
  /// worker.
  NetworkWorker(const TrainingSetup& setup, SlotPool& slots, int worker, int num_workers);

  /// Draws local batches of any size as micro-batches, whose gradients are added with weights
  /// n_i/b, so memory does not depend on the local batch size. There are as few micro-batches as
  /// possible, and their sizes differ by one sample at most: batch norm sees micro-batches, and
  /// would make nonsense of a few samples that are left over.
  double local_step(int local_batch_size, double learning_rate, ChunkGradients* chunks) override;
  using Worker::local_step;

  /// An audit's samples are drawn from the worker's data with replacement. Single ones are seen in
  /// micro-batches cut like those of a local step.
  void sample_gradients(const SampleRequest& request, const SampleSums& sums,
                        std::span<float> sum) override;
  int independent_samples(int local_batch_size) const override;
  void samples_in_batch(const SampleRequest& request, std::span<double> squared_norms) override;

  std::span<float> parameters() override { return parameters_.span(); }
  std::span<const float> gradient() const override { return gradient_.span(); }
  GradientLength gradient_length() const override { return gradient_length_; }
  void add_averaged_state(std::vector<Averaged>& averaged) override {
    state_.add_averaged(averaged);
  }
  std::vector<TensorView> averaged_state_tensors() override { return state_.averaged_tensors(); }
  /// Leaves running moments that are to be reset as they are until the next local step: until then
  /// models are evaluated with them.
  void finish_synchronization() override;
  std::vector<TensorView> tensors() const override { return setup_.model.parameter_tensors(); }

  /// Finds loss and accuracy on the test samples of an evaluation and on all samples that are held
  /// out, of both of which every worker does a share, with the moments that evaluated_moments()
  /// returns.
  TestResult evaluate(Communicator& comm) override;
  /// The parameters, and the moments that evaluated_moments() returns.
  FinalModel final_model(Communicator& comm) override;
  void visit_state(StateVisitor& visitor) override;
  const WorkerSeconds& seconds() const override { return seconds_; }

  /// The running moments that belong to the averaged model: the mean over the workers of those at
  /// the end of their local steps, whatever the policy does to them at the synchronization, or
  /// recomputed ones. Collective.
  std::vector<float> evaluated_moments(Communicator& comm);

  std::span<float> running_moments() { return state_.moments(); }
  InnerOptimizer& inner_optimizer() { return state_.optimizer(); }
  Sampler& sampler() { return sampler_; }

 private:
  SlotPool::Lease borrow_slot();
  void begin_round();
  /// Fills the slot with these training samples.
  Batch fill_training(ExecutionSlot& slot, std::span<const Draw> draws);
  void descend(double learning_rate, const ParallelFor& parallel_for);
  /// Puts or adds weight * (gradient of the batch's mean loss), and returns that loss.
  double compute_gradient(Network& network, const Batch& batch, double weight, GradientUse use);

  /// Calls body(count) for as few micro-batches as make up `samples`, of nearly equal sizes.
  template <class Body>
  void for_each_micro_batch(int samples, const Body& body) const {
    int micro_batches = count_micro_batches(samples);
    for (int done = 0; done < samples; --micro_batches) {
      const int count = (samples - done + micro_batches - 1) / micro_batches;
      body(count);
      done += count;
    }
  }
  int count_micro_batches(int samples) const {
    return (samples + setup_.micro_batch - 1) / setup_.micro_batch;
  }

  std::vector<Draw> draws_of(const SampleRequest& request) const;
  std::vector<Draw> audit_draws(std::int64_t round, std::size_t count) const;
  void pass_over_samples(const SampleRequest& request, const SampleSums& sums,
                         std::span<float> sum);
  void pass_over_micro_batches(const SampleRequest& request, const SampleSums& sums,
                               std::span<float> sum);

  /// The sum of the moments of this worker's share of the micro-batches that recomputed moments are
  /// taken over.
  std::vector<double> measured_moments(int worker, int num_workers);
  /// Evaluates this worker's shares of the test set and, where there is one, the validation set.
  std::vector<Evaluation> evaluate_shares(std::span<float> moments, int worker, int num_workers);

  const TrainingSetup& setup_;
  SlotPool& slots_;
  int worker_;
  Sampler sampler_;
  AlignedBuffer<float> parameters_, gradient_;
  GradientLength gradient_length_;
  NetworkState state_;
  std::vector<Draw> draws_;
  bool round_begins_ = true;  ///< no local step since the last synchronization
  WorkerSeconds seconds_;
};

}  // namespace localbatch
