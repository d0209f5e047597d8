#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "core/batch.h"
#include "core/vector_math.h"
#include "nn/execution.h"
#include "nn/model.h"

namespace localbatch {

/// How a gradient is stored: the first micro-batch of a step replaces the array's content, the
/// others are added.
enum class GradientUse { kReplace, kAdd };

/// Sums over the gradients of single samples. g_i is what sample i adds to the gradient of the sum
/// of the losses, as if it had a copy of the parameters to itself. Without batch norm that is the
/// gradient of its own loss. Batch norm couples the images of a micro-batch: there it is a summand
/// that depends on all others, and the g_i of a micro-batch are not independent.
struct SampleSums {
  std::span<double> squared_norms = {};   ///< |g_i|^2, by sample; empty: not wanted
  std::span<double> inner_products = {};  ///< <g_i, direction>, by sample; empty: not wanted
  std::span<const float> direction = {};  ///< as long as the parameters, in their order
  /// Factors of the g_i in their sum, by sample; empty: 1. Not together with other sums.
  std::span<const double> weights = {};
};

/// The machinery that computes gradients of a model. It is large and remembers nothing between
/// calls but what load() was given, so several workers can take turns with one network. Everything
/// that belongs to a worker comes in from outside as flat f32 arrays, which Model names: parameters
/// and gradient of parameter_count() values, running moments of running_moment_count(). A batch
/// has 1 .. max_samples() samples. Not thread-safe; results do not depend on the number of threads.
class Network {
 public:
  virtual ~Network() = default;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  virtual const Model& model() const = 0;
  virtual int max_samples() const = 0;

  /// In memory, parameters are in the order that the engine likes; files and other programs want
  /// TensorView's order. Both arrays hold parameter_count() values and do not overlap.
  virtual void to_canonical(std::span<const float> parameters,
                            std::span<float> canonical) const = 0;
  virtual void from_canonical(std::span<const float> canonical,
                              std::span<float> parameters) const = 0;

  /// Takes the worker's arrays for the calls that follow; to be called again whenever the
  /// parameters have changed. The arrays must stay where they are until then.
  virtual void load(std::span<const float> parameters, std::span<float> running_moments) = 0;

  /// Puts weight * (gradient of the mean loss of these samples) into `gradient`, updates the
  /// running moments, and returns the mean loss.
  virtual double train(const Batch& batch, double weight, std::span<float> gradient,
                       GradientUse use) = 0;

  /// Computes norms and inner products of the gradients g_i of single samples. g_i is the gradient
  /// of the sum of the losses by sample i's own copy of the parameters, not divided by the number
  /// of samples: the mean of the g_i is what train() gives with weight 1. `sums` gets |g_i|^2 and
  /// <g_i, direction>, each exact but for rounding and only if wanted; `gradient`, unless it is
  /// empty, gets the sum of the g_i times their weights. Returns the mean loss. Running moments
  /// stay as they are.
  virtual double sample_gradients(const Batch& batch, std::span<float> gradient, GradientUse use,
                                  const SampleSums& sums) = 0;

  /// Replaces the running moments by those of this micro-batch, whose targets are not looked at.
  virtual void measure_moments(const Batch& batch) = 0;

  /// Loss and correct predictions under the running moments.
  virtual Evaluation evaluate(const Batch& batch) = 0;

  /// Calls work(0) .. work(count - 1), each once, on whichever thread of this network is free next.
  /// Nothing may be thrown.
  virtual void for_each(int count, const std::function<void(int)>& work) = 0;

  /// Runs loops over flat arrays with the threads of this network; valid as long as it is.
  ParallelFor parallel_for();

  /// Wall-clock time of the halves of the passes that compute gradients, and where the threads'
  /// time went, since the network was made.
  virtual double forward_seconds() const = 0;
  virtual double backward_seconds() const = 0;
  virtual PhaseSeconds phase_seconds() const = 0;

 protected:
  Network() = default;
};

}  // namespace localbatch
