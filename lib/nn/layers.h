#pragma once

#include <memory>
#include <optional>

#include "nn/image_model.h"
#include "nn/layer.h"
#include "nn/normalizers.h"

namespace localbatch {

class LinearOperator;

// One function per kind of layer. T is the type of activations: float or Bfloat16; feature vectors
// are float always. Tensor views say where a tensor lies in the worker's flat arrays.

/// Convolution by a oneDNN primitive per slice of images.
template <class T>
std::unique_ptr<Layer> make_convolution_layer(const Source<T>& src, const Destination<T>& dst,
                                              std::shared_ptr<LinearOperator> linear_operator,
                                              const TensorView& weight, int max_images);

/// Dense layer: y = W x + b.
std::unique_ptr<Layer> make_dense_layer(const Source<float>& src, const Destination<float>& dst,
                                        std::shared_ptr<LinearOperator> linear_operator,
                                        const TensorView& weight, const TensorView& bias,
                                        int max_images);

/// The rule for Winograd convolutions: as many tiles as a product takes at a time, but slices for
/// eight threads.
int winograd_images_per_slice(const ImageShape& src, int max_images);

/// Convolution 3x3 with stride 1 by Winograd's algorithm (winograd.h), for shapes that it fits.
template <class T>
std::unique_ptr<Layer> make_winograd_layer(const Source<T>& src, const Destination<T>& dst,
                                           const TensorView& weight, int max_images,
                                           int images_per_slice);

/// Batch norm or group norm (normalizers.h), with the residual and ReLU.
template <class T>
std::unique_ptr<Layer> make_normalization_layer(const Source<T>& src,
                                                std::optional<Source<T>> residual,
                                                const Destination<T>& dst,
                                                const Normalization& kind, int max_images,
                                                const NormalizationTensors& tensors);

template <class T>
std::unique_ptr<Layer> make_relu_layer(const Source<T>& src, const Destination<T>& dst);
template <class T>
std::unique_ptr<Layer> make_max_pool_layer(const Source<T>& src, const Destination<T>& dst,
                                           const MaxPool& kind, int max_images);
template <class T>
std::unique_ptr<Layer> make_average_pool_layer(const Source<T>& src, const Destination<float>& dst);
template <class T>
std::unique_ptr<Layer> make_pad_shortcut_layer(const Source<T>& src, const Destination<T>& dst,
                                               const PadShortcut& kind);

}  // namespace localbatch
