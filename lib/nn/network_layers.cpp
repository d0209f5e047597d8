#include <algorithm>
#include <optional>

#include "nn/layer_kernels.h"
#include "nn/layers.h"
#include "nn/network.h"

namespace localbatch {

namespace {

std::vector<TensorView> tensors_of(std::span<const TensorView> tensors, std::size_t layer) {
  std::vector<TensorView> mine;
  std::ranges::copy_if(tensors, std::back_inserter(mine),
                       [layer](const TensorView& tensor) { return tensor.layer == layer; });
  return mine;
}

bool is_feature_vector(const LayerKind& kind) {
  return std::holds_alternative<Dense>(kind) || std::holds_alternative<AveragePool>(kind);
}

}  // namespace

template <class T>
void Network::make_values() {
  values_.resize(model_.layers().size() + 1);
  values_.front().shape = model_.input();
  diff_image_bytes_.resize(plan_.diff_array_sizes.size());
  for (std::size_t i = 0; i < values_.size(); ++i) {
    Value& value = values_[i];
    value.storage = plan_.values[i].storage;
    if (i == 0) continue;
    const LayerKind& kind = model_.layers()[i - 1].kind;
    value.shape = model_.layers()[i - 1].dst;
    const auto source = static_cast<std::size_t>(sources(kind).front());
    const bool is_float =
        is_feature_vector(kind) || (std::holds_alternative<Relu>(kind) &&
                                    values_[source].element_size == sizeof(float) && source > 0);
    value.element_size = is_float ? sizeof(float) : sizeof(T);
    if (plan_.values[i].diff_array >= 0) {
      std::size_t& bytes = diff_image_bytes_[static_cast<std::size_t>(plan_.values[i].diff_array)];
      bytes = std::max(bytes, value.image_bytes());
    }
  }
}

template <class T>
void Network::make_layers() {
  for (std::size_t i = 0; i < model_.layers().size(); ++i) {
    operators_.emplace_back();
    layers_.push_back(make_layer<T>(i));
    const MemoryNeeds needs = layers_.back()->needs();
    needs_.thread_bytes = std::max(needs_.thread_bytes, needs.thread_bytes);
    needs_.scratchpad_bytes = std::max(needs_.scratchpad_bytes, needs.scratchpad_bytes);
    needs_.shared_floats = std::max(needs_.shared_floats, needs.shared_floats);
    needs_.own_bytes += needs.own_bytes;
    values_[i + 1].producer = layers_.back().get();
    if (const auto* const normalization = std::get_if<Normalization>(&model_.layers()[i].kind))
      values_[static_cast<std::size_t>(normalization->src)].observer = layers_.back().get();
  }
}

std::shared_ptr<LinearOperator> Network::make_operator(const LinearShape& shape,
                                                       int images_per_slice) {
  operators_.back() = std::make_shared<LinearOperator>(shape, images_per_slice, options_.threads);
  return operators_.back();
}

template <class T>
std::unique_ptr<Layer> Network::make_convolution(const Convolution& kind, const Source<T>& src,
                                                 const Destination<T>& dst,
                                                 const TensorView& weight) {
  const KernelChoice kernel =
      choose_kernel(convolution_shape(kind, src.shape()), src.is_input(), options_);
  if (kernel.winograd)
    return make_winograd_layer(src, dst, weight, options_.max_images, kernel.images_per_slice);
  const LinearShape shape{.src = src.shape(),
                          .dst = dst.shape(),
                          .kernel = kind.kernel,
                          .stride = kind.stride,
                          .padding = kind.padding,
                          .src_is_plain = src.is_input(),
                          .src_needs_diff = src.diff_use() != DiffUse::kNone,
                          .precision = options_.precision};
  return make_convolution_layer(src, dst, make_operator(shape, kernel.images_per_slice), weight,
                                options_.max_images);
}

template <class T>
std::unique_ptr<Layer> Network::make_layer(std::size_t index) {
  const LayerKind& kind = model_.layers()[index].kind;
  const std::vector<TensorView> tensors = tensors_of(parameter_tensors_, index);
  const std::vector<SourcePlan>& sources = plan_.sources[index];
  const auto value = [this](ValueId id) -> Value& { return values_[static_cast<std::size_t>(id)]; };
  Value& first = value(sources.front().value);
  const Source<T> src(first, sources.front());
  const Source<float> float_src(first, sources.front());
  const Destination<T> dst(values_[index + 1]);
  const Destination<float> float_dst(values_[index + 1]);
  const int max_images = options_.max_images;

  if (const auto* const convolution = std::get_if<Convolution>(&kind))
    return make_convolution(*convolution, src, dst, tensors[0]);
  if (std::holds_alternative<Dense>(kind)) {
    const LinearShape shape{.src = src.shape(),
                            .dst = dst.shape(),
                            .dense = true,
                            .src_is_plain = src.is_input(),
                            .src_needs_diff = src.diff_use() != DiffUse::kNone};
    return make_dense_layer(float_src, float_dst,
                            make_operator(shape, images_per_slice(shape, max_images)), tensors[0],
                            tensors[1], max_images);
  }
  if (const auto* const normalization = std::get_if<Normalization>(&kind)) {
    std::optional<Source<T>> residual;
    if (normalization->add >= 0) residual.emplace(value(sources[1].value), sources[1]);
    NormalizationTensors its_tensors{.scale = tensors[0], .shift = tensors[1]};
    if (normalization->is_batch_norm()) {
      const std::vector<TensorView> running = tensors_of(statistics_tensors_, index);
      its_tensors.running_mean = running[0];
      its_tensors.running_variance = running[1];
    }
    return make_normalization_layer(src, residual, dst, *normalization, max_images, its_tensors);
  }
  if (std::holds_alternative<Relu>(kind))
    return values_[index + 1].element_size == sizeof(float) ? make_relu_layer(float_src, float_dst)
                                                            : make_relu_layer(src, dst);
  if (const auto* const max_pool = std::get_if<MaxPool>(&kind))
    return make_max_pool_layer(src, dst, *max_pool, max_images);
  if (std::holds_alternative<AveragePool>(kind)) return make_average_pool_layer(src, float_dst);
  return make_pad_shortcut_layer(src, dst, std::get<PadShortcut>(kind));
}

template void Network::make_values<float>();
template void Network::make_values<Bfloat16>();
template void Network::make_layers<float>();
template void Network::make_layers<Bfloat16>();

}  // namespace localbatch
