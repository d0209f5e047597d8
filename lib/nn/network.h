#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/shape.h"
#include "core/stopwatch.h"
#include "core/vector_math.h"
#include "nn/execution.h"
#include "nn/execution_plan.h"
#include "nn/linear_operator.h"
#include "nn/model.h"
#include "nn/softmax_loss.h"
#include "nn/values.h"

namespace localbatch {

/// Batch norm couples the images of a micro-batch, so the gradient of one image alone needs a
/// definition. Without batch norm both are the same.
enum class SampleNormalization {
  kBatchTerms,  ///< statistics of the micro-batch: an image's summand of the gradient of the loss,
                ///< the gradient by its own copy of the parameters
  kFrozen       ///< running statistics, as constants: the gradient of the image's loss in the
                ///< network that evaluate() sees
};

/// The machinery that computes gradients of a model: primitives, activations, scratchpads. It is
/// large and remembers nothing between calls but what `load` was given, so several workers can take
/// turns with one network. Everything that belongs to a worker comes in from outside as flat f32
/// arrays: parameters and gradient of parameter_count() values, batch-norm statistics of
/// statistics_count(). Not thread-safe; results do not depend on the number of threads.
class Network {
 public:
  /// Throws an InputError when a recorded choice of a kernel is impossible for a layer.
  Network(const Model& model, const ExecutionOptions& options);

  const Model& model() const { return model_; }
  int max_images() const { return options_.max_images; }
  std::size_t parameter_count() const { return total_size(parameter_tensors_); }
  std::size_t statistics_count() const { return total_size(statistics_tensors_); }
  std::span<const TensorView> parameter_tensors() const { return parameter_tensors_; }
  std::span<const TensorView> statistics_tensors() const { return statistics_tensors_; }

  /// In memory, weights are in the order that the convolutions like; files and other programs want
  /// TensorView's order. Both arrays hold parameter_count() values and do not overlap.
  void to_canonical(std::span<const float> parameters, std::span<float> canonical) const;
  void from_canonical(std::span<const float> canonical, std::span<float> parameters) const;

  /// The worker's arrays for the calls that follow; to be called again whenever the parameters have
  /// changed. The arrays must stay where they are until then.
  void load(std::span<const float> parameters, std::span<float> statistics);

  /// Puts weight * (gradient of the mean loss of these images) into `gradient`, updates the running
  /// statistics, and returns the mean loss. `images` are [image][C][H][W]; 1 .. max_images of them.
  double train_micro_batch(std::span<const float> images, std::span<const Label> labels,
                           double weight, std::span<float> gradient, GradientUse use);

  /// Statistics of the gradients g_i of single images. g_i is the gradient of the sum of the losses
  /// by image i's own copy of the parameters, not divided by the number of images: the mean of the
  /// g_i is what train_micro_batch gives with weight 1. `sums` gets |g_i|^2 and <g_i, direction>,
  /// each exact but for rounding and only if wanted; `gradient`, unless it is empty, gets the sum
  /// of the g_i. Returns the mean loss. Running statistics stay as they are. 1 .. max_images
  /// images.
  double sample_gradients(std::span<const float> images, std::span<const Label> labels,
                          SampleNormalization normalization, std::span<float> gradient,
                          GradientUse use, const SampleSums& sums);

  /// Replaces the running statistics of batch norm by those of this micro-batch. 1 .. max_images
  /// images.
  void measure_statistics(std::span<const float> images);

  /// Loss and number of correct predictions under the running statistics.
  Evaluation evaluate(std::span<const float> images, std::span<const Label> labels);

  /// Runs pieces of work on flat arrays with the threads of this network; valid as long as it is.
  PieceRunner piece_runner();

  /// Calls work(0) .. work(count - 1), each once, on whichever thread of this network is free next.
  /// Nothing may be thrown.
  void for_each(int count, const std::function<void(int)>& work);

  /// Wall-clock time of the halves of the passes that compute gradients, and where the threads'
  /// time went, since the network was made.
  double forward_seconds() const { return forward_.seconds(); }
  double backward_seconds() const { return backward_.seconds(); }
  PhaseSeconds phase_seconds() const;

  /// Bytes that a network allocates: activations, their gradients, copies of weights, scratch. The
  /// worker's flat arrays are not among them.
  static std::size_t predicted_bytes(const Model& model, const ExecutionOptions& options);

 private:
  enum class Allocation { kNow, kNever };
  Network(const Model& model, const ExecutionOptions& options, Allocation allocation);

  /// Places for the values, without memory. T is the type of those in channel blocks.
  template <class T>
  void make_values();
  template <class T>
  void make_layers();
  template <class T>
  std::unique_ptr<Layer> make_layer(std::size_t index);
  template <class T>
  std::unique_ptr<Layer> make_convolution(const Convolution& kind, const Source<T>& src,
                                          const Destination<T>& dst, const TensorView& weight);
  std::shared_ptr<LinearOperator> make_operator(const LinearShape& shape, int images_per_slice);
  void allocate();

  void convert(std::span<const float> from, std::span<float> to, bool to_canonical) const;
  std::span<const float> forward(std::span<const float> images, std::size_t count,
                                 NormStatistics batch_norm, double running_momentum);
  /// Forward and backward pass; `pass` says what is wanted, and the loss has this weight.
  double compute_gradients(std::span<const float> images, std::span<const Label> labels,
                           double weight, double running_momentum, BackwardPass pass);

  Model model_;
  ExecutionOptions options_;
  ExecutionPlan plan_;
  std::vector<TensorView> parameter_tensors_, statistics_tensors_;
  Team team_;
  std::vector<std::size_t> diff_image_bytes_;  ///< by array of diffs
  std::vector<AlignedBuffer<std::byte>> diffs_;
  std::vector<Value> values_;                               ///< by ValueId
  std::vector<std::shared_ptr<LinearOperator>> operators_;  ///< by layer, null where there is none
  std::vector<std::unique_ptr<Layer>> layers_;
  MemoryNeeds needs_;  ///< of all layers
  std::span<const float> parameters_;
  std::span<float> statistics_;
  Stopwatch loading_, forward_, backward_, evaluation_;
};

}  // namespace localbatch
