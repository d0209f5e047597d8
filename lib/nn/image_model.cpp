#include "nn/image_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/channel_block.h"
#include "core/error.h"
#include "core/random.h"
#include "nn/image_network.h"

namespace localbatch {

namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

int windows(int size, int kernel, int stride, int padding) {
  return (size + 2 * padding - kernel) / stride + 1;
}

/// Appends tensors and keeps count of the offset.
class TensorList {
 public:
  void add(std::string name, std::vector<int> dims, std::size_t layer, bool hidden_matrix = false) {
    const std::size_t size = std::accumulate(dims.begin(), dims.end(), std::size_t{1},
                                             [](std::size_t a, int b) { return a * b; });
    tensors_.push_back({.name = std::move(name),
                        .dims = std::move(dims),
                        .layer = layer,
                        .offset = offset_,
                        .size = size,
                        .hidden_matrix = hidden_matrix,
                        .interleaved = hidden_matrix ? kChannelBlock : 1});
    offset_ += size;
  }
  std::vector<TensorView> take() { return std::move(tensors_); }

 private:
  std::vector<TensorView> tensors_;
  std::size_t offset_ = 0;
};

int features(const ImageShape& shape) { return static_cast<int>(shape.size()); }

}  // namespace

std::vector<ValueId> sources(const LayerKind& kind) {
  return std::visit(Overloaded{[](const Normalization& layer) {
                                 return layer.add < 0 ? std::vector<ValueId>{layer.src}
                                                      : std::vector<ValueId>{layer.src, layer.add};
                               },
                               [](const auto& layer) { return std::vector<ValueId>{layer.src}; }},
                    kind);
}

ConvolutionShape convolution_shape(const Convolution& convolution, const ImageShape& src) {
  return {.src = src,
          .channels = convolution.channels,
          .kernel = convolution.kernel,
          .stride = convolution.stride,
          .padding = convolution.padding};
}

std::vector<ModelConvolution> distinct_convolutions(const ImageModel& model) {
  std::vector<ModelConvolution> distinct;
  for (const LayerDescription& layer : model.layers()) {
    const auto* const convolution = std::get_if<Convolution>(&layer.kind);
    if (convolution == nullptr) continue;
    const ConvolutionShape shape = convolution_shape(*convolution, model.shape(convolution->src));
    auto found = std::ranges::find(distinct, shape, &ModelConvolution::shape);
    if (found == distinct.end())
      found = distinct.insert(found, {.shape = shape, .reads_input = convolution->src == 0});
    ++found->layers;
  }
  return distinct;
}

ValueId ImageModel::add(std::string name, const LayerKind& kind) {
  for (const ValueId source : sources(kind))
    check(source >= 0 && source <= static_cast<ValueId>(layers_.size()),
          "a layer reads values that exist");
  const ImageShape src = shape(sources(kind).front());
  const ImageShape dst = std::visit(
      Overloaded{[&](const Convolution& layer) { return convolution_shape(layer, src).dst(); },
                 [&](const Normalization& layer) {
                   check(layer.add < 0 || shape(layer.add) == src,
                         "a residual has the shape it is added to");
                   check(layer.groups >= 0 &&
                             (layer.is_batch_norm() || src.channels % layer.groups == 0),
                         "groups of channels are of one size");
                   return src;
                 },
                 [&](const Dense& layer) {
                   return ImageShape{layer.features, 1, 1};
                 },
                 [&](const Relu&) { return src; },
                 [&](const MaxPool& layer) {
                   return ImageShape{src.channels,
                                     windows(src.height, layer.kernel, layer.stride, layer.padding),
                                     windows(src.width, layer.kernel, layer.stride, layer.padding)};
                 },
                 [&](const AveragePool&) {
                   return ImageShape{src.channels, 1, 1};
                 },
                 [&](const PadShortcut& layer) {
                   return ImageShape{layer.channels, windows(src.height, 1, layer.stride, 0),
                                     windows(src.width, 1, layer.stride, 0)};
                 }},
      kind);
  if (dst.height < 1 || dst.width < 1)
    fail_input("model: images of {}x{} pixels are too small for layer {}", input_.height,
               input_.width, name);
  layers_.push_back({std::move(name), kind, dst});
  return static_cast<ValueId>(layers_.size());
}

const ImageShape& ImageModel::shape(ValueId value) const {
  return value == 0 ? input_ : layers_.at(static_cast<std::size_t>(value) - 1).dst;
}

int ImageModel::num_classes() const { return layers_.back().dst.channels; }

std::vector<TensorView> ImageModel::parameter_tensors() const {
  TensorList list;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const LayerDescription& layer = layers_[i];
    if (const auto* const convolution = std::get_if<Convolution>(&layer.kind)) {
      list.add(layer.name + ".weight",
               {convolution->channels, shape(convolution->src).channels, convolution->kernel,
                convolution->kernel},
               i, /*hidden_matrix=*/convolution->src != 0);
    } else if (const auto* const dense = std::get_if<Dense>(&layer.kind)) {
      list.add(layer.name + ".weight", {dense->features, features(shape(dense->src))}, i);
      list.add(layer.name + ".bias", {dense->features}, i);
    } else if (std::holds_alternative<Normalization>(layer.kind)) {
      list.add(layer.name + ".weight", {layer.dst.channels}, i);
      list.add(layer.name + ".bias", {layer.dst.channels}, i);
    }
  }
  return list.take();
}

std::vector<TensorView> ImageModel::running_moment_tensors() const {
  TensorList list;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const LayerDescription& layer = layers_[i];
    const auto* const normalization = std::get_if<Normalization>(&layer.kind);
    if (normalization == nullptr || !normalization->is_batch_norm()) continue;
    list.add(layer.name + ".running_mean", {layer.dst.channels}, i);
    list.add(layer.name + ".running_var", {layer.dst.channels}, i);
  }
  return list.take();
}

std::int64_t ImageModel::multiply_adds() const {
  std::int64_t count = 0;
  for (const TensorView& tensor : parameter_tensors()) {
    const bool is_weight = tensor.dims.size() > 1;
    const ImageShape& dst = layers_[tensor.layer].dst;
    // Every pixel of the output sees all weights once.
    if (is_weight) count += static_cast<std::int64_t>(tensor.size) * dst.height * dst.width;
  }
  return count;
}

std::vector<LayerKernel> ImageModel::kernels(const ExecutionOptions& options) const {
  std::vector<LayerKernel> kernels;
  for (const LayerDescription& layer : layers_)
    if (const auto* const convolution = std::get_if<Convolution>(&layer.kind)) {
      const ConvolutionShape shape = convolution_shape(*convolution, this->shape(convolution->src));
      kernels.push_back({.layer = layer.name,
                         .shape = shape,
                         .choice = choose_kernel(shape, convolution->src == 0, options)});
    }
  return kernels;
}

std::unique_ptr<Network> ImageModel::make_network(const ExecutionOptions& options) const {
  return std::make_unique<ImageNetwork>(*this, options);
}

std::size_t ImageModel::predicted_bytes(const ExecutionOptions& options) const {
  return ImageNetwork::predicted_bytes(*this, options);
}

void ImageModel::initialize_parameters(std::uint64_t seed, std::span<float> canonical) const {
  const std::vector<TensorView> tensors = parameter_tensors();
  check(canonical.size() == total_size(tensors), "there is a place for every parameter");
  for (std::size_t index = 0; index < tensors.size(); ++index) {
    const TensorView& tensor = tensors[index];
    const std::span<float> values = canonical.subspan(tensor.offset, tensor.size);
    if (tensor.dims.size() == 1) {
      const auto* const normalization = std::get_if<Normalization>(&layers_[tensor.layer].kind);
      const bool is_scale = normalization != nullptr && tensor.name.ends_with(".weight");
      std::ranges::fill(values, is_scale && !normalization->zero_scale ? 1.0F : 0.0F);
      continue;
    }
    const bool classifier = tensor.layer + 1 == layers_.size();
    const auto fan_in = static_cast<double>(tensor.size) / tensor.dims[0];
    const auto deviation = static_cast<float>(std::sqrt((classifier ? 1 : 2) / fan_in));
    RandomStream random(seed, Purpose::kInitialization, index);
    for (float& value : values) value = deviation * random.normal();
  }
}

void ImageModel::initialize_running_moments(std::span<float> moments) const {
  for (const TensorView& tensor : running_moment_tensors())
    std::ranges::fill(moments.subspan(tensor.offset, tensor.size),
                      tensor.name.ends_with(".running_var") ? 1.0F : 0.0F);
}

ImageModel::ImageModel(const SampleShape& sample) {
  const ImageShape* const image = sample.image();
  if (image == nullptr)
    fail_input("model: found one that is for images, which the samples of this data set are not");
  input_ = *image;
}

}  // namespace localbatch
