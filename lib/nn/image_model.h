#pragma once

#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "nn/model.h"

namespace localbatch {

/// Index of a value in a model: 0 is the input image, i + 1 is the output of layer i.
using ValueId = int;

struct Convolution {  ///< no bias
  ValueId src = 0;
  int channels = 0;
  int kernel = 1;
  int stride = 1;
  int padding = 0;
};
/// scale * (src - mean)/sqrt(variance + epsilon) + shift, then add, then ReLU.
struct Normalization {
  ValueId src = 0;
  ValueId add = -1;  ///< residual that is added, -1: none
  bool relu = false;
  bool zero_scale = false;  ///< scale starts at 0 instead of 1
  int groups = 0;  ///< group norm over as many groups of channels of each image; 0: batch norm

  bool is_batch_norm() const { return groups == 0; }
};
struct Dense {  ///< with bias; sees its source as one vector of features
  ValueId src = 0;
  int features = 0;
};
struct Relu {
  ValueId src = 0;
};
struct MaxPool {
  ValueId src = 0;
  int kernel = 3;
  int stride = 2;
  int padding = 1;
};
struct AveragePool {  ///< over all pixels
  ValueId src = 0;
};
/// Parameter-free shortcut of He et al. 2016 (option A): every stride-th pixel, new channels are
/// zero.
struct PadShortcut {
  ValueId src = 0;
  int channels = 0;
  int stride = 1;
};
using LayerKind =
    std::variant<Convolution, Normalization, Dense, Relu, MaxPool, AveragePool, PadShortcut>;

struct LayerDescription {
  std::string name;  ///< as torchvision names it, "layer1.0.conv1"
  LayerKind kind;
  ImageShape dst;  ///< shape of the output
};

/// A network on images as a list of layers in the order of the forward pass; the last one gives the
/// logits.
class ImageModel final : public Model {
 public:
  explicit ImageModel(const ImageShape& input) : input_(input) {}
  /// Throws an InputError when samples are no images.
  explicit ImageModel(const SampleShape& sample);

  /// Appends a layer and returns its output. Shapes are inferred; a source must exist already.
  ValueId add(std::string name, const LayerKind& kind);

  const ImageShape& shape(ValueId value) const;
  std::span<const LayerDescription> layers() const { return layers_; }
  const ImageShape& input() const { return input_; }
  int num_classes() const;

  SampleShape sample() const override { return {.input = input_, .num_classes = num_classes()}; }
  std::vector<TensorView> parameter_tensors() const override;
  std::vector<TensorView> running_moment_tensors() const override;

  /// Convolutions and hidden dense layers are normal with variance 2/fan_in (He et al. 2015,
  /// equation 10), the classifier normal with variance 1/fan_in (no ReLU follows it), biases 0,
  /// scales of normalizations 1 (or 0 where the model says so).
  void initialize_parameters(std::uint64_t seed, std::span<float> canonical) const override;
  void initialize_running_moments(std::span<float> moments) const override;

  /// Counts convolutions as direct ones, padding included, and dense layers.
  std::int64_t multiply_adds() const override;

  std::vector<LayerKernel> kernels(const ExecutionOptions& options) const override;
  std::unique_ptr<Network> make_network(const ExecutionOptions& options) const override;
  std::size_t predicted_bytes(const ExecutionOptions& options) const override;

 private:
  ImageShape input_;
  std::vector<LayerDescription> layers_;
};

ConvolutionShape convolution_shape(const Convolution& convolution, const ImageShape& src);

/// A convolution of a model, in one or several layers of one shape.
struct ModelConvolution {
  ConvolutionShape shape;
  bool reads_input = false;  ///< its source is the network's input: nobody wants the gradient by it
  int layers = 0;            ///< that have this shape
};

/// The distinct shapes in the order of the forward pass.
std::vector<ModelConvolution> distinct_convolutions(const ImageModel& model);

/// The values that a layer reads.
std::vector<ValueId> sources(const LayerKind& kind);

/// A residual network (He et al. 2016).
struct ResnetSettings {
  /// 20, 32, 44, 56 and 110 are the CIFAR family (widths 16, 32, 64), 18, 34, 50, 101 and 152 the
  /// ImageNet family (64 to 512).
  int depth = 20;
  bool imagenet_stem = false;    ///< 7x7, stride 2, max-pool; else 3x3, stride 1, no pool
  int norm_groups = 0;           ///< group norm over as many groups of channels; 0: batch norm
  bool pad_shortcut = false;     ///< option A where shapes change; only without bottleneck
  bool zero_last_scale = false;  ///< every block starts as the identity
};
ImageModel resnet(const ResnetSettings& settings, const SampleShape& sample);

/// Fully connected layers with ReLU.
struct MlpSettings {
  int hidden_layers = 2;
  int hidden_features = 128;  ///< the width of each of them
};
ImageModel mlp(const MlpSettings& settings, const SampleShape& sample);

/// One linear layer.
ImageModel softmax_regression(const SampleShape& sample);

}  // namespace localbatch
