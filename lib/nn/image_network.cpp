#include "nn/image_network.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "nn/kernel_choices.h"
#include "nn/layers.h"
#include "nn/linear_operator.h"
#include "nn/softmax_loss.h"

namespace localbatch {

namespace {

/// PyTorch's.
constexpr double kRunningMomentum = 0.1;

}  // namespace

ImageNetwork::ImageNetwork(const ImageModel& model, const ExecutionOptions& options)
    : ImageNetwork(model, options, Allocation::kNow) {}

ImageNetwork::ImageNetwork(const ImageModel& model, const ExecutionOptions& options,
                           Allocation allocation)
    : model_(model),
      options_(options),
      plan_(plan_execution(model)),
      parameter_tensors_(model.parameter_tensors()),
      moment_tensors_(model.running_moment_tensors()),
      team_(options.threads) {
  check(options.max_samples >= 1 && options.threads >= 1, "a network has images and threads");
  const SingleThreadScope single_thread;
  if (options.precision == Precision::kBfloat16) {
    make_values<Bfloat16>();
    make_layers<Bfloat16>();
  } else {
    make_values<float>();
    make_layers<float>();
  }
  if (allocation == Allocation::kNow) allocate();
}

void ImageNetwork::allocate() {
  team_.allocate(needs_.thread_bytes, needs_.shared_floats);
  const auto images = static_cast<std::size_t>(options_.max_samples);
  for (const std::size_t bytes : diff_image_bytes_) diffs_.emplace_back(bytes * images);
  for (std::size_t i = 0; i < values_.size(); ++i) {
    Value& value = values_[i];
    const ValuePlan& plan = plan_.values[i];
    if (value.is_stored()) {
      value.memory = AlignedBuffer<std::byte>(value.image_bytes() * images);
      value.values = value.memory.data();
    }
    if (plan.diff_array >= 0) value.diff = diffs_[static_cast<std::size_t>(plan.diff_array)].data();
  }
}

std::size_t ImageNetwork::predicted_bytes(const ImageModel& model,
                                          const ExecutionOptions& options) {
  const ImageNetwork network(model, options, Allocation::kNever);
  const auto images = static_cast<std::size_t>(options.max_samples);
  const auto threads = static_cast<std::size_t>(options.threads);
  const MemoryNeeds& needs = network.needs_;
  std::size_t bytes =
      needs.own_bytes + allocated_bytes(needs.shared_floats * sizeof(float)) +
      threads * (allocated_bytes(needs.thread_bytes) + allocated_bytes(needs.scratchpad_bytes));
  for (const std::size_t diff : network.diff_image_bytes_) bytes += allocated_bytes(diff * images);
  for (const Value& value : network.values_)
    if (value.is_stored()) bytes += allocated_bytes(value.image_bytes() * images);
  return bytes;
}

void ImageNetwork::convert(std::span<const float> from, std::span<float> to,
                           bool to_canonical) const {
  const SingleThreadScope single_thread;
  for (const TensorView& tensor : parameter_tensors_) {
    const auto source = from.subspan(tensor.offset, tensor.size);
    const auto destination = to.subspan(tensor.offset, tensor.size);
    const std::shared_ptr<LinearOperator>& linear_operator = operators_[tensor.layer];
    if (tensor.dims.size() == 1) {
      std::ranges::copy(source, destination.begin());
    } else if (linear_operator != nullptr) {
      if (to_canonical)
        linear_operator->to_canonical(source, destination);
      else
        linear_operator->from_canonical(source, destination);
    } else {
      const auto convert_weights = to_canonical ? to_canonical_weights : from_canonical_weights;
      convert_weights(source, tensor.dims[1], tensor.dims[0], tensor.dims[2] * tensor.dims[3],
                      destination);
    }
  }
}

void ImageNetwork::to_canonical(std::span<const float> parameters,
                                std::span<float> canonical) const {
  convert(parameters, canonical, /*to_canonical=*/true);
}

void ImageNetwork::from_canonical(std::span<const float> canonical,
                                  std::span<float> parameters) const {
  convert(canonical, parameters, /*to_canonical=*/false);
}

void ImageNetwork::load(std::span<const float> parameters, std::span<float> running_moments) {
  check(parameters.size() == parameter_count() && running_moments.size() == running_moment_count(),
        "a network is loaded with arrays of its own size");
  const SingleThreadScope single_thread;
  const Stopwatch::Scope timed(loading_);
  parameters_ = parameters;
  running_moments_ = running_moments;
  // The layers with most weights come last in our models, and should not be begun last.
  const int layers = static_cast<int>(layers_.size());
  team_.for_each(layers, Phase::kWeights, [&](int index, Thread& thread) {
    layers_[static_cast<std::size_t>(layers - 1 - index)]->load(parameters, thread);
  });
}

std::span<const float> ImageNetwork::forward(const Batch& batch, BatchNormMoments batch_norm,
                                             double running_momentum) {
  check(batch.samples >= 1 && batch.samples <= options_.max_samples,
        "a micro-batch has between one image and as many as the network was made for");
  const auto images = static_cast<std::size_t>(batch.samples);
  check(batch.inputs.size() == images * model_.sample().input_bytes(), "every image is there");
  values_.front().values = batch.inputs.data();
  for (const std::unique_ptr<Layer>& layer : layers_)
    layer->forward(team_, {.images = batch.samples,
                           .batch_norm = batch_norm,
                           .running_momentum = running_momentum,
                           .parameters = parameters_,
                           .running_moments = running_moments_});
  const Value& logits = values_.back();
  return {reinterpret_cast<const float*>(logits.values), images * logits.shape.size()};
}

double ImageNetwork::compute_gradients(const Batch& batch, double weight, double running_momentum,
                                       BackwardPass pass) {
  const SingleThreadScope single_thread;
  check(batch.targets.size() == static_cast<std::size_t>(batch.samples),
        "every image has a target");
  const int classes = model_.num_classes();
  std::span<const float> logits;
  {
    const Stopwatch::Scope timed(forward_);
    logits = forward(batch, BatchNormMoments::kMicroBatch, running_momentum);
  }
  const Stopwatch::Scope timed(backward_);
  const std::span<float> diff(reinterpret_cast<float*>(values_.back().diff), logits.size());
  softmax_loss_gradient(logits, batch.targets, classes,
                        {.weight = weight, .label_smoothing = options_.label_smoothing}, diff);
  if (pass.samples != nullptr && !pass.samples->weights.empty()) {
    for (std::size_t i = 0; i < diff.size(); ++i)
      diff[i] *= static_cast<float>(pass.samples->weights[i / static_cast<std::size_t>(classes)]);
    pass.samples = nullptr;  // the sum is all that is asked for
  }
  pass.images = batch.samples;
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer)
    (*layer)->backward(team_, pass);
  return softmax_loss(logits, batch.targets, classes).loss_sum / batch.samples;
}

double ImageNetwork::train(const Batch& batch, double weight, std::span<float> gradient,
                           GradientUse use) {
  check(gradient.size() == parameter_count(), "there is a gradient for every parameter");
  return compute_gradients(batch, weight, kRunningMomentum,
                           {.parameters = parameters_, .gradient = gradient, .use = use});
}

double ImageNetwork::sample_gradients(const Batch& batch, std::span<float> gradient,
                                      GradientUse use, const SampleSums& sums) {
  const auto has_all = [](std::size_t size, std::size_t wanted) {
    return size == 0 || size == wanted;
  };
  const auto images = static_cast<std::size_t>(batch.samples);
  check(has_all(gradient.size(), parameter_count()), "there is a gradient for every parameter");
  check(has_all(sums.squared_norms.size(), images) && has_all(sums.inner_products.size(), images),
        "there is a sum for every image");
  check(sums.inner_products.empty() || sums.direction.size() == parameter_count(),
        "inner products are taken with a direction for every parameter");
  check(sums.weights.empty() || (sums.weights.size() == images && sums.squared_norms.empty() &&
                                 sums.inner_products.empty()),
        "every image has a weight in the sum, and nothing else is asked for");
  std::ranges::fill(sums.squared_norms, 0.0);
  std::ranges::fill(sums.inner_products, 0.0);
  const double weight = batch.samples;  // that of the sum of the losses
  return compute_gradients(
      batch, weight, /*running_momentum=*/0,
      {.parameters = parameters_, .gradient = gradient, .use = use, .samples = &sums});
}

void ImageNetwork::measure_moments(const Batch& batch) {
  const SingleThreadScope single_thread;
  const Stopwatch::Scope timed(evaluation_);
  forward(batch, BatchNormMoments::kMicroBatch, /*running_momentum=*/1);
}

Evaluation ImageNetwork::evaluate(const Batch& batch) {
  const SingleThreadScope single_thread;
  const Stopwatch::Scope timed(evaluation_);
  check(batch.targets.size() == static_cast<std::size_t>(batch.samples),
        "every image has a target");
  return softmax_loss(forward(batch, BatchNormMoments::kRunning, /*running_momentum=*/0),
                      batch.targets, model_.num_classes());
}

void ImageNetwork::for_each(int count, const std::function<void(int)>& work) {
  // To the network this is waiting: its caller counts it.
  team_.for_each(count, Phase::kWaiting, [&work](int index, Thread&) { work(index); });
}

PhaseSeconds ImageNetwork::phase_seconds() const {
  return team_.phase_seconds(loading_.seconds() + forward_.seconds() + backward_.seconds() +
                             evaluation_.seconds());
}

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
void ImageNetwork::make_values() {
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
void ImageNetwork::make_layers() {
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

std::shared_ptr<LinearOperator> ImageNetwork::make_operator(const LinearShape& shape,
                                                            int images_per_slice) {
  operators_.back() = std::make_shared<LinearOperator>(shape, images_per_slice, options_.threads);
  return operators_.back();
}

template <class T>
std::unique_ptr<Layer> ImageNetwork::make_convolution(const Convolution& kind, const Source<T>& src,
                                                      const Destination<T>& dst,
                                                      const TensorView& weight) {
  const KernelChoice kernel =
      choose_kernel(convolution_shape(kind, src.shape()), src.is_input(), options_);
  if (kernel.winograd)
    return make_winograd_layer(src, dst, weight, options_.max_samples, kernel.images_per_slice);
  const LinearShape shape{.src = src.shape(),
                          .dst = dst.shape(),
                          .kernel = kind.kernel,
                          .stride = kind.stride,
                          .padding = kind.padding,
                          .src_is_plain = src.is_input(),
                          .src_needs_diff = src.diff_use() != DiffUse::kNone,
                          .precision = options_.precision};
  return make_convolution_layer(src, dst, make_operator(shape, kernel.images_per_slice), weight,
                                options_.max_samples);
}

template <class T>
std::unique_ptr<Layer> ImageNetwork::make_layer(std::size_t index) {
  const LayerKind& kind = model_.layers()[index].kind;
  const std::vector<TensorView> tensors = tensors_of(parameter_tensors_, index);
  const std::vector<SourcePlan>& sources = plan_.sources[index];
  const auto value = [this](ValueId id) -> Value& { return values_[static_cast<std::size_t>(id)]; };
  Value& first = value(sources.front().value);
  const Source<T> src(first, sources.front());
  const Source<float> float_src(first, sources.front());
  const Destination<T> dst(values_[index + 1]);
  const Destination<float> float_dst(values_[index + 1]);
  const int max_images = options_.max_samples;

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
    NormalizationTensors norm_tensors{.scale = tensors[0], .shift = tensors[1]};
    if (normalization->is_batch_norm()) {
      const std::vector<TensorView> running = tensors_of(moment_tensors_, index);
      norm_tensors.running_mean = running[0];
      norm_tensors.running_variance = running[1];
    }
    return make_normalization_layer(src, residual, dst, *normalization, max_images, norm_tensors);
  }
  if (std::holds_alternative<Relu>(kind))
    return values_[index + 1].element_size == sizeof(float) ? make_relu_layer(float_src, float_dst)
                                                            : make_relu_layer(src, dst);
  if (const auto* const max_pool = std::get_if<MaxPool>(&kind))
    return make_max_pool_layer(src, dst, *max_pool, max_images);
  if (std::holds_alternative<AveragePool>(kind)) return make_average_pool_layer(src, float_dst);
  return make_pad_shortcut_layer(src, dst, std::get<PadShortcut>(kind));
}

template void ImageNetwork::make_values<float>();
template void ImageNetwork::make_values<Bfloat16>();
template void ImageNetwork::make_layers<float>();
template void ImageNetwork::make_layers<Bfloat16>();

}  // namespace localbatch
