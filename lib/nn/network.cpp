#include "nn/network.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "nn/layers.h"

namespace localbatch {

struct Network::DiffPlan {
  std::vector<int> array;                  ///< by ValueId, -1: no diff
  std::vector<std::size_t> array_size;     ///< per image
  std::vector<std::vector<DiffUse>> uses;  ///< by layer, in the order of sources()
};

Network::DiffPlan Network::plan_diffs(const Model& model) {
  const std::size_t layers = model.layers().size();
  DiffPlan plan{.array = std::vector<int>(layers + 1, -1),
                .array_size = {},
                .uses = std::vector<std::vector<DiffUse>>(layers)};
  std::vector<int> unused;
  const auto claim = [&](ValueId value) {
    const std::size_t size = model.shape(value).size();
    const auto fits = [&](int array) {
      return plan.array_size[static_cast<std::size_t>(array)] >= size;
    };
    auto chosen = std::ranges::find_if(unused, fits);
    if (chosen == unused.end() && !unused.empty()) chosen = unused.begin();
    int array = static_cast<int>(plan.array_size.size());
    if (chosen != unused.end()) {
      array = *chosen;
      unused.erase(chosen);
    } else {
      plan.array_size.push_back(0);
    }
    std::size_t& array_size = plan.array_size[static_cast<std::size_t>(array)];
    array_size = std::max(array_size, size);
    plan.array[static_cast<std::size_t>(value)] = array;
  };

  claim(static_cast<ValueId>(layers));
  for (std::size_t layer = layers; layer-- > 0;) {
    for (const ValueId source : sources(model.layers()[layer].kind)) {
      if (source == 0) {
        plan.uses[layer].push_back(DiffUse::kNone);
      } else if (plan.array[static_cast<std::size_t>(source)] >= 0) {
        plan.uses[layer].push_back(DiffUse::kAdd);
      } else {
        claim(source);
        plan.uses[layer].push_back(DiffUse::kWrite);
      }
    }
    // The layers below do not look at this diff any more.
    unused.push_back(plan.array[layer + 1]);
  }
  return plan;
}

Network::Network(const Model& model, int max_images, int threads)
    : model_(model),
      max_images_(max_images),
      parameter_tensors_(localbatch::parameter_tensors(model)),
      statistics_tensors_(localbatch::statistics_tensors(model)) {
  check(max_images >= 1 && threads >= 1, "a network has images and threads");
  const DiffPlan plan = plan_diffs(model);
  const auto images = static_cast<std::size_t>(max_images);
  for (const std::size_t size : plan.array_size) diffs_.emplace_back(size * images);
  for (ValueId value = 0; value <= static_cast<ValueId>(model.layers().size()); ++value) {
    Activation activation;
    activation.shape = model.shape(value);
    if (value > 0) activation.storage = AlignedBuffer<float>(activation.shape.size() * images);
    activation.values = activation.storage.data();
    const int array = plan.array[static_cast<std::size_t>(value)];
    if (array >= 0) activation.diff = diffs_[static_cast<std::size_t>(array)].data();
    activations_.push_back(std::move(activation));
  }
  make_layers(plan, Team(threads));
}

void Network::make_layers(const DiffPlan& plan, const Team& team) {
  const auto tensors_of = [](std::span<const TensorView> tensors, std::size_t layer) {
    std::vector<TensorView> mine;
    std::ranges::copy_if(tensors, std::back_inserter(mine),
                         [layer](const TensorView& tensor) { return tensor.layer == layer; });
    return mine;
  };
  for (std::size_t i = 0; i < model_.layers().size(); ++i) {
    const LayerKind& kind = model_.layers()[i].kind;
    const std::vector<ValueId> reads = sources(kind);
    const std::vector<TensorView> tensors = tensors_of(parameter_tensors_, i);
    const auto activation = [&](ValueId value) {
      return &activations_[static_cast<std::size_t>(value)];
    };
    const Wiring wiring{.team = team,
                        .src = activation(reads.front()),
                        .dst = &activations_[i + 1],
                        .src_diff = plan.uses[i].front()};
    operators_.emplace_back();
    const auto linear = [&](LinearShape shape, const TensorView* bias) {
      shape.src = wiring.src->shape;
      shape.dst = wiring.dst->shape;
      shape.src_is_plain = reads.front() == 0;
      shape.src_needs_diff = wiring.src_diff != DiffUse::kNone;
      operators_.back() = std::make_shared<LinearOperator>(shape, team.threads());
      return make_linear_layer(wiring, operators_.back(), tensors[0], bias);
    };

    std::unique_ptr<Layer> layer;
    if (const auto* const convolution = std::get_if<Convolution>(&kind)) {
      layer = linear({.kernel = convolution->kernel,
                      .stride = convolution->stride,
                      .padding = convolution->padding},
                     nullptr);
    } else if (std::holds_alternative<Dense>(kind)) {
      layer = linear({.dense = true}, &tensors[1]);
    } else if (const auto* const batch_norm = std::get_if<BatchNorm>(&kind)) {
      const std::vector<TensorView> running = tensors_of(statistics_tensors_, i);
      ResidualWiring residual;
      if (batch_norm->add >= 0) residual = {activation(batch_norm->add), plan.uses[i][1]};
      layer = make_batch_norm_layer(wiring, residual, *batch_norm, max_images_, tensors[0],
                                    tensors[1], running[0], running[1]);
    } else if (std::holds_alternative<Relu>(kind)) {
      layer = make_relu_layer(wiring);
    } else if (const auto* const max_pool = std::get_if<MaxPool>(&kind)) {
      layer = make_max_pool_layer(wiring, *max_pool, max_images_);
    } else if (std::holds_alternative<AveragePool>(kind)) {
      layer = make_average_pool_layer(wiring);
    } else {
      layer = make_pad_shortcut_layer(wiring, std::get<PadShortcut>(kind));
    }
    layers_.push_back(std::move(layer));
  }
}

void Network::convert(std::span<const float> from, std::span<float> to,
                      LayoutConversion conversion) const {
  const SingleThreadScope single_thread;
  for (const TensorView& tensor : parameter_tensors_) {
    const auto source = from.subspan(tensor.offset, tensor.size);
    const auto destination = to.subspan(tensor.offset, tensor.size);
    const bool is_weight = tensor.dims.size() > 1;
    if (is_weight)
      (*operators_[tensor.layer].*conversion)(source, destination);
    else
      std::ranges::copy(source, destination.begin());
  }
}

void Network::to_canonical(std::span<const float> parameters, std::span<float> canonical) const {
  convert(parameters, canonical, &LinearOperator::to_canonical);
}

void Network::from_canonical(std::span<const float> canonical, std::span<float> parameters) const {
  convert(canonical, parameters, &LinearOperator::from_canonical);
}

void Network::load(std::span<const float> parameters, std::span<float> statistics) {
  check(parameters.size() == parameter_count() && statistics.size() == statistics_count(),
        "a network is loaded with arrays of its own size");
  const SingleThreadScope single_thread;
  parameters_ = parameters;
  statistics_ = statistics;
  for (const std::unique_ptr<Layer>& layer : layers_) layer->load(parameters);
}

std::span<const float> Network::forward(std::span<const float> images, std::size_t count,
                                        bool training) {
  check(count >= 1 && count <= static_cast<std::size_t>(max_images_),
        "a micro-batch has between one image and as many as the network was made for");
  check(images.size() == count * model_.input().size(), "there is a label for every image");
  activations_.front().values = images.data();
  for (const std::unique_ptr<Layer>& layer : layers_)
    layer->forward({.images = static_cast<int>(count),
                    .training = training,
                    .parameters = parameters_,
                    .statistics = statistics_});
  const Activation& logits = activations_.back();
  return {logits.values, count * logits.shape.size()};
}

double Network::train_micro_batch(std::span<const float> images,
                                  std::span<const std::uint8_t> labels, double weight,
                                  std::span<float> gradient) {
  check(gradient.size() == parameter_count(), "there is a gradient for every parameter");
  const SingleThreadScope single_thread;
  const std::span<const float> logits = forward(images, labels.size(), /*training=*/true);
  const int classes = model_.num_classes();
  softmax_loss_gradient(logits, labels, classes, weight, {activations_.back().diff, logits.size()});
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer)
    (*layer)->backward({.images = static_cast<int>(labels.size()),
                        .parameters = parameters_,
                        .gradient = gradient});
  return softmax_loss(logits, labels, classes).loss_sum / static_cast<double>(labels.size());
}

Evaluation Network::evaluate(std::span<const float> images, std::span<const std::uint8_t> labels) {
  const SingleThreadScope single_thread;
  return softmax_loss(forward(images, labels.size(), /*training=*/false), labels,
                      model_.num_classes());
}

}  // namespace localbatch
