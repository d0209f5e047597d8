#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "comm/communicator.h"
#include "core/aligned_buffer.h"
#include "core/batch.h"
#include "core/options.h"
#include "nn/model.h"
#include "optim/inner_optimizer.h"
#include "train/worker.h"

namespace localbatch {

/// What happens to the running statistics of batch norm, which local steps move but never look at.
/// The model that is evaluated needs some.
struct BatchNormAtSync {
  enum class Policy {
    kAverage,    ///< averaged at every synchronization
    kLocal,      ///< each worker keeps its own; evaluated with their mean
    kReset,      ///< start anew in every round; evaluated with the mean before that
    kRecompute,  ///< local, and evaluated with those of training images under the averaged model
  };
  Policy policy = Policy::kAverage;
  int batches = 0;  ///< micro-batches of all workers together that kRecompute takes
};

/// Reads `batch_norm_at_sync` and `batch_norm_batches`.
BatchNormAtSync read_batch_norm_at_sync(Options& options);

/// What an optimizer looks at of these tensors, which lie one behind the other.
ParameterLayout layout_of(std::span<const TensorView> tensors);

/// A step of `optimizer` along the gradient, which is not changed, or along a shorter one where its
/// norm is above clip_norm and that is not 0. The norm is that of all parameters together, the same
/// bits however `parallel_for` cuts them.
GradientLength take_step(InnerOptimizer& optimizer, double clip_norm, std::span<float> parameters,
                         std::span<const float> gradient, double learning_rate,
                         const ParallelFor& parallel_for);

// What a policy says is to be done with a worker's optimizer state when parameters are averaged:
// the state is averaged with them, or reset afterwards.
void add_averaged_state(InnerOptimizer& optimizer, StatePolicy policy,
                        std::vector<Averaged>& averaged);
void finish_synchronization(InnerOptimizer& optimizer, StatePolicy policy);

void visit_inner_optimizer(StateVisitor& visitor, InnerOptimizer& optimizer);

/// What a worker on a network has beside its parameters, and all that it shares of it with other
/// workers. Needs no network, so that a dry run has the meetings of a real one.
class NetworkState {
 public:
  /// `moments` are the running moments of the network's batch norm.
  NetworkState(const InnerOptimizerFactory& optimizer, const BatchNormAtSync& batch_norm,
               const ParameterLayout& parameters, std::vector<TensorView> moments);

  InnerOptimizer& optimizer() { return *optimizer_; }
  std::span<float> moments() { return moments_.span(); }
  std::span<const float> moments() const { return moments_.span(); }
  const BatchNormAtSync& batch_norm() const { return batch_norm_; }

  void add_averaged(std::vector<Averaged>& averaged);
  std::vector<TensorView> averaged_tensors();
  void finish_synchronization();
  /// `drawn`: how many samples the worker has drawn.
  void visit_state(StateVisitor& visitor, std::int64_t& drawn);

  /// The running moments that belong to the averaged model: the mean over the workers of those at
  /// the end of their local steps, whatever the policy does to them at the synchronization, or
  /// recomputed ones. `measure` returns the sums of moments over this worker's share of the
  /// micro-batches that are taken for the latter. Collective.
  using Measure = std::function<std::vector<double>()>;
  std::vector<float> evaluated_moments(Communicator& comm, const Measure& measure) const;

  /// The averaged model on some sets of samples, of which `test` sees this worker's shares with
  /// these moments, as many sets on every worker. Collective, in one meeting for all sets.
  using Test = std::function<std::vector<Evaluation>(std::span<float> moments)>;
  std::vector<Evaluation> evaluate(Communicator& comm, const Measure& measure,
                                   const Test& test) const;

 private:
  StatePolicy optimizer_at_sync_;
  BatchNormAtSync batch_norm_;
  std::unique_ptr<InnerOptimizer> optimizer_;
  std::vector<TensorView> moment_tensors_;
  AlignedBuffer<float> moments_;
};

}  // namespace localbatch
