#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/stopwatch.h"
#include "nn/image_model.h"
#include "nn/layer.h"
#include "nn/network.h"

namespace localbatch {

class LinearOperator;
struct LinearShape;

/// A network on images: oneDNN's primitives, our own Winograd convolutions, and the layers around
/// them.
class ImageNetwork final : public Network {
 public:
  /// Throws an InputError when a kernel override is impossible for a layer.
  ImageNetwork(const ImageModel& model, const ExecutionOptions& options);

  const ImageModel& model() const override { return model_; }
  int max_samples() const override { return options_.max_samples; }
  std::size_t parameter_count() const { return total_size(parameter_tensors_); }
  std::size_t running_moment_count() const { return total_size(moment_tensors_); }
  std::span<const TensorView> parameter_tensors() const { return parameter_tensors_; }

  void to_canonical(std::span<const float> parameters, std::span<float> canonical) const override;
  void from_canonical(std::span<const float> canonical, std::span<float> parameters) const override;
  void load(std::span<const float> parameters, std::span<float> running_moments) override;
  double train(const Batch& batch, double weight, std::span<float> gradient,
               GradientUse use) override;
  double sample_gradients(const Batch& batch, std::span<float> gradient, GradientUse use,
                          const SampleSums& sums) override;
  void measure_moments(const Batch& batch) override;
  Evaluation evaluate(const Batch& batch) override;
  void for_each(int count, const std::function<void(int)>& work) override;
  double forward_seconds() const override { return forward_.seconds(); }
  double backward_seconds() const override { return backward_.seconds(); }
  PhaseSeconds phase_seconds() const override;

  static std::size_t predicted_bytes(const ImageModel& model, const ExecutionOptions& options);

 private:
  enum class Allocation { kNow, kNever };
  ImageNetwork(const ImageModel& model, const ExecutionOptions& options, Allocation allocation);

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
  std::span<const float> forward(const Batch& batch, BatchNormMoments batch_norm,
                                 double running_momentum);
  /// Forward and backward pass; `pass` says what is wanted, and the loss has this weight.
  double compute_gradients(const Batch& batch, double weight, double running_momentum,
                           BackwardPass pass);

  ImageModel model_;
  ExecutionOptions options_;
  ExecutionPlan plan_;
  std::vector<TensorView> parameter_tensors_, moment_tensors_;
  Team team_;
  std::vector<std::size_t> diff_image_bytes_;  ///< by array of diffs
  std::vector<AlignedBuffer<std::byte>> diffs_;
  std::vector<Value> values_;                               ///< by ValueId
  std::vector<std::shared_ptr<LinearOperator>> operators_;  ///< by layer, null where there is none
  std::vector<std::unique_ptr<Layer>> layers_;
  MemoryNeeds needs_;  ///< of all layers
  std::span<const float> parameters_;
  std::span<float> running_moments_;
  Stopwatch loading_, forward_, backward_, evaluation_;
};

}  // namespace localbatch
