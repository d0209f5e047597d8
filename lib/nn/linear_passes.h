#pragma once

#include <memory>

#include "nn/linear_operator.h"
#include "nn/linear_samples.h"
#include "nn/model.h"
#include "nn/values.h"

namespace localbatch {

/// The rule for how many images one call of a oneDNN primitive handles: as many as stay in the
/// second-level cache with their input and output, and more where the weights are so large that
/// reading and writing them would cost more than the images do. A function of the shape alone (and
/// of the largest micro-batch), because results depend on it.
int images_per_slice(const LinearShape& shape, int max_images);

/// Whether the gradient by the weights is cut by output channels and not by images: where the
/// weights are not much smaller than a micro-batch, gradients of slices of images would cost more
/// to write and to add than reading all images for each piece.
bool gradient_by_filters(const LinearShape& shape, int max_images);

/// The passes of a linear layer over a micro-batch, slice by slice: what convolutions and dense
/// layers have in common. T is the type of the activations.
template <class T>
class LinearPasses {
 public:
  LinearPasses(const Source<T>& src, const Destination<T>& dst,
               std::shared_ptr<LinearOperator> linear_operator, const TensorView& weight,
               int max_images);

  MemoryNeeds needs() const;
  void load(std::span<const float> parameters) {
    operator_->load(parameters.data() + weight_.offset);
  }

  /// `bias` may be empty.
  void forward(Team& team, const ForwardPass& pass, std::span<const float> bias);
  void backward(Team& team, const BackwardPass& pass);

 private:
  void prepare(int images);
  void backward_by_images(Team& team, const BackwardPass& pass);
  void backward_by_filters(Team& team, const BackwardPass& pass);
  bool samples_make_gradients(const BackwardPass& pass) const {
    return pass.samples != nullptr && samples_.makes_gradients();
  }
  void backward_slice(const BackwardPass& pass, Images images, Thread& thread, float* diff_weights);
  void backward_data(Images images, const T* diff_dst, Thread& thread);

  Source<T> src_;
  Destination<T> dst_;
  std::shared_ptr<LinearOperator> operator_;
  TensorView weight_;
  int max_images_, per_slice_;
  bool by_filters_;  ///< how the gradient by the weights is cut
  LinearSamples<T> samples_;
};

}  // namespace localbatch
