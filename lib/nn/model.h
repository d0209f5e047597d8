#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/options.h"
#include "core/shape.h"
#include "nn/kernel_choices.h"

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

/// A network as a list of layers in the order of the forward pass; the last one gives the logits.
/// Pure description: it owns no parameters.
class Model {
 public:
  explicit Model(ImageShape input) : input_(input) {}

  /// Appends a layer and returns its output. Shapes are inferred; a source must exist already.
  ValueId add(std::string name, const LayerKind& kind);

  const ImageShape& shape(ValueId value) const;
  std::span<const LayerDescription> layers() const { return layers_; }
  ImageShape input() const { return input_; }
  int num_classes() const;

 private:
  ImageShape input_;
  std::vector<LayerDescription> layers_;
};

ConvolutionShape convolution_shape(const Convolution& convolution, const ImageShape& src);

/// A convolution where it stands.
struct ModelConvolution {
  std::string layer;
  ConvolutionShape shape;
  bool reads_input = false;  ///< of the network: nobody wants the gradient by it
};

/// All of a model, in the order of the forward pass.
std::vector<ModelConvolution> convolutions_of(const Model& model);

/// The values that a layer reads.
std::vector<ValueId> sources(const LayerKind& kind);

/// A tensor inside one of a worker's flat arrays.
struct TensorView {
  std::string name;       ///< "layer1.0.conv1.weight"
  std::vector<int> dims;  ///< canonical order: weights are [out][in][row][column] or [out][in]
  std::size_t layer = 0;  ///< index of the layer it belongs to
  std::size_t offset = 0;
  std::size_t size = 0;
};

/// What the flat arrays hold, in order: the trained parameters, and the running means and variances
/// of batch norm (which are no parameters: nobody computes a gradient for them).
std::vector<TensorView> parameter_tensors(const Model& model);
std::vector<TensorView> statistics_tensors(const Model& model);

/// Sum of the sizes.
std::size_t total_size(std::span<const TensorView> tensors);

/// Multiplications, each with its addition, of one image's forward pass through convolutions
/// (counted as direct ones, padding included) and dense layers. The backward pass does about twice
/// as many.
std::int64_t multiply_adds(const Model& model);

/// A model of an experiment file waits for the data set to know its channels and classes.
using ModelMaker = std::function<Model(const ImageShape& input, int num_classes)>;

/// resnet, mlp, softmax_regression.
std::span<const PartRow<ModelMaker>> model_table();

// The makers behind model_table(), one file each.
ModelMaker make_resnet(Options& options);
ModelMaker make_mlp(Options& options);
ModelMaker make_softmax_regression(Options& options);

/// Starting values in canonical order, a function of (model, seed): convolutions and hidden dense
/// layers normal with variance 2/fan_in (He et al. 2015, equation 10), the classifier normal with
/// variance 1/fan_in (no ReLU follows it), biases 0, scales of normalizations 1 (or 0 where the
/// model says so).
void initialize_parameters(const Model& model, std::uint64_t seed, std::span<float> canonical);

/// Running means 0, running variances 1.
void initialize_statistics(const Model& model, std::span<float> statistics);

}  // namespace localbatch
