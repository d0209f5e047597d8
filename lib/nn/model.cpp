#include "nn/model.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/random.h"

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
  void add(std::string name, std::vector<int> dims, std::size_t layer) {
    const std::size_t size = std::accumulate(dims.begin(), dims.end(), std::size_t{1},
                                             [](std::size_t a, int b) { return a * b; });
    tensors_.push_back({std::move(name), std::move(dims), layer, offset_, size});
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

std::vector<ModelConvolution> convolutions_of(const Model& model) {
  std::vector<ModelConvolution> found;
  for (const LayerDescription& layer : model.layers())
    if (const auto* const convolution = std::get_if<Convolution>(&layer.kind))
      found.push_back({.layer = layer.name,
                       .shape = convolution_shape(*convolution, model.shape(convolution->src)),
                       .reads_input = convolution->src == 0});
  return found;
}

ValueId Model::add(std::string name, const LayerKind& kind) {
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

const ImageShape& Model::shape(ValueId value) const {
  return value == 0 ? input_ : layers_.at(static_cast<std::size_t>(value) - 1).dst;
}

int Model::num_classes() const { return layers_.back().dst.channels; }

std::vector<TensorView> parameter_tensors(const Model& model) {
  TensorList list;
  for (std::size_t i = 0; i < model.layers().size(); ++i) {
    const LayerDescription& layer = model.layers()[i];
    if (const auto* const convolution = std::get_if<Convolution>(&layer.kind)) {
      list.add(layer.name + ".weight",
               {convolution->channels, model.shape(convolution->src).channels, convolution->kernel,
                convolution->kernel},
               i);
    } else if (const auto* const dense = std::get_if<Dense>(&layer.kind)) {
      list.add(layer.name + ".weight", {dense->features, features(model.shape(dense->src))}, i);
      list.add(layer.name + ".bias", {dense->features}, i);
    } else if (std::holds_alternative<Normalization>(layer.kind)) {
      list.add(layer.name + ".weight", {layer.dst.channels}, i);
      list.add(layer.name + ".bias", {layer.dst.channels}, i);
    }
  }
  return list.take();
}

std::vector<TensorView> statistics_tensors(const Model& model) {
  TensorList list;
  for (std::size_t i = 0; i < model.layers().size(); ++i) {
    const LayerDescription& layer = model.layers()[i];
    const auto* const normalization = std::get_if<Normalization>(&layer.kind);
    if (normalization == nullptr || !normalization->is_batch_norm()) continue;
    list.add(layer.name + ".running_mean", {layer.dst.channels}, i);
    list.add(layer.name + ".running_var", {layer.dst.channels}, i);
  }
  return list.take();
}

std::size_t total_size(std::span<const TensorView> tensors) {
  return tensors.empty() ? 0 : tensors.back().offset + tensors.back().size;
}

std::int64_t multiply_adds(const Model& model) {
  std::int64_t count = 0;
  for (const TensorView& tensor : parameter_tensors(model)) {
    const bool is_weight = tensor.dims.size() > 1;
    const ImageShape& dst = model.layers()[tensor.layer].dst;
    // Every pixel of the output sees all weights once.
    if (is_weight) count += static_cast<std::int64_t>(tensor.size) * dst.height * dst.width;
  }
  return count;
}

std::span<const PartRow<ModelMaker>> model_table() {
  static constexpr std::array<PartRow<ModelMaker>, 3> kTable{{
      {.name = "resnet",
       .summary = "residual network (He et al. 2016) for small or large images",
       .make = make_resnet,
       .source = "He et al. 2016"},
      {.name = "mlp", .summary = "fully connected layers with ReLU", .make = make_mlp},
      {.name = "softmax_regression",
       .summary = "one linear layer: convex, for tests and theory",
       .make = make_softmax_regression},
  }};
  return kTable;
}

ModelMaker make_mlp(Options& options) {
  const auto hidden_layers = static_cast<int>(
      options.integer("hidden_layers",
                      {.fallback = 2, .min = 1, .max = 100, .meaning = "number of hidden layers"}));
  const auto hidden_features = static_cast<int>(options.integer(
      "hidden_features",
      {.fallback = 128, .min = 1, .max = 65536, .meaning = "width of each of them"}));
  return [=](const ImageShape& input, int num_classes) {
    Model model(input);
    ValueId x = 0;
    for (int i = 0; i < hidden_layers; ++i) {
      x = model.add(fmt::format("fc{}", i + 1), Dense{.src = x, .features = hidden_features});
      x = model.add(fmt::format("relu{}", i + 1), Relu{.src = x});
    }
    model.add("fc", Dense{.src = x, .features = num_classes});
    return model;
  };
}

ModelMaker make_softmax_regression(Options&) {
  return [](const ImageShape& input, int num_classes) {
    Model model(input);
    model.add("fc", Dense{.src = 0, .features = num_classes});
    return model;
  };
}

void initialize_parameters(const Model& model, std::uint64_t seed, std::span<float> canonical) {
  const std::vector<TensorView> tensors = parameter_tensors(model);
  check(canonical.size() == total_size(tensors), "there is a place for every parameter");
  for (std::size_t index = 0; index < tensors.size(); ++index) {
    const TensorView& tensor = tensors[index];
    const std::span<float> values = canonical.subspan(tensor.offset, tensor.size);
    if (tensor.dims.size() == 1) {
      const auto* const normalization =
          std::get_if<Normalization>(&model.layers()[tensor.layer].kind);
      const bool is_scale = normalization != nullptr && tensor.name.ends_with(".weight");
      std::ranges::fill(values, is_scale && !normalization->zero_scale ? 1.0F : 0.0F);
      continue;
    }
    const bool classifier = tensor.layer + 1 == model.layers().size();
    const auto fan_in = static_cast<double>(tensor.size) / tensor.dims[0];
    const auto deviation = static_cast<float>(std::sqrt((classifier ? 1 : 2) / fan_in));
    RandomStream random(seed, Purpose::kInitialization, index);
    for (float& value : values) value = deviation * random.normal();
  }
}

void initialize_statistics(const Model& model, std::span<float> statistics) {
  for (const TensorView& tensor : statistics_tensors(model))
    std::ranges::fill(statistics.subspan(tensor.offset, tensor.size),
                      tensor.name.ends_with(".running_var") ? 1.0F : 0.0F);
}

}  // namespace localbatch
