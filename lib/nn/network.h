#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "nn/layer.h"
#include "nn/linear_operator.h"
#include "nn/model.h"
#include "nn/softmax_loss.h"

namespace localbatch {

/// The machinery that computes gradients of a model: primitives, activations, scratchpads. It is
/// large and remembers nothing between calls but what `load` was given, so several workers can take
/// turns with one network. Everything that belongs to a worker comes in from outside as flat f32
/// arrays: parameters and gradient of parameter_count() values, batch-norm statistics of
/// statistics_count(). Not thread-safe; results do not depend on the number of threads.
class Network {
 public:
  /// `max_images`: the largest micro-batch. `threads`: the size of the team that works on one.
  Network(const Model& model, int max_images, int threads);

  const Model& model() const { return model_; }
  int max_images() const { return max_images_; }
  std::size_t parameter_count() const { return total_size(parameter_tensors_); }
  std::size_t statistics_count() const { return total_size(statistics_tensors_); }
  std::span<const TensorView> parameter_tensors() const { return parameter_tensors_; }
  std::span<const TensorView> statistics_tensors() const { return statistics_tensors_; }

  /// In memory, weights are in the order that the primitives like; files and other programs want
  /// TensorView's order. Both arrays hold parameter_count() values and do not overlap.
  void to_canonical(std::span<const float> parameters, std::span<float> canonical) const;
  void from_canonical(std::span<const float> canonical, std::span<float> parameters) const;

  /// The worker's arrays for the calls that follow; to be called again whenever the parameters have
  /// changed. The arrays must stay where they are until then.
  void load(std::span<const float> parameters, std::span<float> statistics);

  /// Adds weight * (gradient of the mean loss of these images) to `gradient`, updates the running
  /// statistics, and returns the mean loss. `images` are [image][C][H][W]; 1 .. max_images of them.
  double train_micro_batch(std::span<const float> images, std::span<const std::uint8_t> labels,
                           double weight, std::span<float> gradient);

  /// Loss and number of correct predictions under the running statistics.
  Evaluation evaluate(std::span<const float> images, std::span<const std::uint8_t> labels);

 private:
  /// Which array holds the diff of each value, and how each layer uses those of its sources.
  struct DiffPlan;
  static DiffPlan plan_diffs(const Model& model);

  using LayoutConversion = void (LinearOperator::*)(std::span<const float>, std::span<float>) const;
  void convert(std::span<const float> from, std::span<float> to, LayoutConversion conversion) const;

  void make_layers(const DiffPlan& plan, const Team& team);
  std::span<const float> forward(std::span<const float> images, std::size_t count, bool training);

  Model model_;
  int max_images_;
  std::vector<TensorView> parameter_tensors_, statistics_tensors_;
  std::vector<AlignedBuffer<float>> diffs_;
  std::vector<Activation> activations_;                     ///< by ValueId
  std::vector<std::shared_ptr<LinearOperator>> operators_;  ///< by layer, null where there is none
  std::vector<std::unique_ptr<Layer>> layers_;
  std::span<const float> parameters_;
  std::span<float> statistics_;
};

}  // namespace localbatch
