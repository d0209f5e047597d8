#pragma once

#include <memory>
#include <span>

#include "nn/layer.h"
#include "nn/linear_operator.h"
#include "nn/model.h"

namespace localbatch {

/// Where a layer's diff of a source goes: into a fresh array, or onto what a later layer has left
/// there.
enum class DiffUse { kNone, kWrite, kAdd };

/// What a layer is wired to.
struct Wiring {
  Team team{1};
  Activation* src = nullptr;
  Activation* dst = nullptr;
  DiffUse src_diff = DiffUse::kNone;
};

/// Batch norm reads a second value when there is a residual.
struct ResidualWiring {
  Activation* add = nullptr;  ///< null: no residual
  DiffUse add_diff = DiffUse::kNone;
};

// One function per kind of layer. `weight`, `bias`, `scale` and so on say where the tensor lies in
// the worker's flat arrays.

/// Convolution or dense layer: y = W x (+ b). `bias` may be null.
std::unique_ptr<Layer> make_linear_layer(const Wiring& wiring,
                                         std::shared_ptr<LinearOperator> linear_operator,
                                         const TensorView& weight, const TensorView* bias);

/// Ioffe and Szegedy 2015 with PyTorch's conventions: epsilon 1e-5, running statistics with
/// momentum 0.1 and the unbiased variance. In training, mean and variance are those of the whole
/// micro-batch.
std::unique_ptr<Layer> make_batch_norm_layer(const Wiring& wiring, const ResidualWiring& residual,
                                             const BatchNorm& kind, int max_images,
                                             const TensorView& scale, const TensorView& shift,
                                             const TensorView& running_mean,
                                             const TensorView& running_variance);

std::unique_ptr<Layer> make_relu_layer(const Wiring& wiring);
std::unique_ptr<Layer> make_max_pool_layer(const Wiring& wiring, const MaxPool& kind,
                                           int max_images);
std::unique_ptr<Layer> make_average_pool_layer(const Wiring& wiring);
std::unique_ptr<Layer> make_pad_shortcut_layer(const Wiring& wiring, const PadShortcut& kind);

}  // namespace localbatch
