#include "nn/linear_operator.h"

#include <algorithm>
#include <cstddef>

#include "core/channel_block.h"
#include "core/error.h"

namespace localbatch {

namespace {

using dnnl::memory;

constexpr auto kFloat = memory::data_type::f32;
constexpr auto kBlocked =
    kChannelBlock == 16 ? memory::format_tag::nChw16c : memory::format_tag::nChw8c;

memory::data_type activation_type(const LinearShape& shape) {
  return shape.precision == Precision::kBfloat16 ? memory::data_type::bf16 : kFloat;
}

memory::desc activation_desc(int images, const ImageShape& shape, memory::data_type type,
                             bool plain) {
  return {{images, shape.channels, shape.height, shape.width},
          type,
          plain ? memory::format_tag::nchw : kBlocked};
}

memory::desc feature_desc(int images, const ImageShape& shape) {
  return {{images, static_cast<memory::dim>(shape.size())}, kFloat, memory::format_tag::nc};
}

/// How oneDNN spells a convolution.
struct ConvolutionFamily {
  using Forward = dnnl::convolution_forward;
  using BackwardData = dnnl::convolution_backward_data;
  using BackwardWeights = dnnl::convolution_backward_weights;

  explicit ConvolutionFamily(const LinearShape& shape)
      : strides{shape.stride, shape.stride}, padding{shape.padding, shape.padding} {}

  static memory::desc src(const LinearShape& shape, int images) {
    return activation_desc(images, shape.src, activation_type(shape), shape.src_is_plain);
  }
  static memory::desc dst(const LinearShape& shape, int images) {
    return activation_desc(images, shape.dst, activation_type(shape), false);
  }
  Forward::primitive_desc forward(const memory::desc& src, const memory::desc& weights,
                                  const memory::desc& dst) const {
    return forward_desc<Forward>(dnnl::prop_kind::forward_training, kAlgorithm, src, weights, dst,
                                 strides, padding, padding);
  }
  template <class Backward>
  typename Backward::primitive_desc backward(const Forward::primitive_desc& hint,
                                             const memory::desc& a, const memory::desc& b,
                                             const memory::desc& c) const {
    return backward_desc<Backward>(hint, kAlgorithm, a, b, c, strides, padding, padding);
  }

  static constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;
  memory::dims strides, padding;
};

/// How oneDNN spells a dense layer.
struct DenseFamily {
  using Forward = dnnl::inner_product_forward;
  using BackwardData = dnnl::inner_product_backward_data;
  using BackwardWeights = dnnl::inner_product_backward_weights;

  explicit DenseFamily(const LinearShape&) {}

  static memory::desc src(const LinearShape& shape, int images) {
    return feature_desc(images, shape.src);
  }
  static memory::desc dst(const LinearShape& shape, int images) {
    return feature_desc(images, shape.dst);
  }
  static Forward::primitive_desc forward(const memory::desc& src, const memory::desc& weights,
                                         const memory::desc& dst) {
    return forward_desc<Forward>(dnnl::prop_kind::forward_training, src, weights, dst);
  }
  template <class Backward>
  static typename Backward::primitive_desc backward(const Forward::primitive_desc& hint,
                                                    const memory::desc& a, const memory::desc& b,
                                                    const memory::desc& c) {
    return backward_desc<Backward>(hint, a, b, c);
  }
};

memory::dims weight_dims(const LinearShape& shape) {
  if (shape.dense)
    return {static_cast<memory::dim>(shape.dst.size()), static_cast<memory::dim>(shape.src.size())};
  return {shape.dst.channels, shape.src.channels, shape.kernel, shape.kernel};
}

memory::desc canonical_desc(const LinearShape& shape) {
  return {weight_dims(shape), kFloat,
          shape.dense ? memory::format_tag::oi : memory::format_tag::oihw};
}

/// The weights of a convolution with blocks of output channels outermost.
memory::desc blocked_weights_desc(const LinearShape& shape) {
  return {weight_dims(shape), kFloat,
          kChannelBlock == 16 ? memory::format_tag::OIhw16i16o : memory::format_tag::OIhw8i8o};
}

}  // namespace

std::size_t LinearShape::weight_count() const {
  const std::size_t window =
      dense ? 1 : static_cast<std::size_t>(kernel) * static_cast<std::size_t>(kernel);
  return static_cast<std::size_t>(dst.channels) * window *
         (dense ? src.size() : static_cast<std::size_t>(src.channels));
}

LinearOperator::LinearOperator(const LinearShape& shape, int images_per_slice, int threads)
    : shape_(shape),
      images_per_slice_(images_per_slice),
      threads_(threads),
      canonical_(canonical_desc(shape)) {
  check(canonical_.get_size() == shape.weight_count() * sizeof(float), "weights fill their array");
  prepare(images_per_slice);
  forward_weights_ = make_copy(layouts_->forward);
  if (shape.src_needs_diff) backward_weights_ = make_copy(layouts_->backward_data);
}

template <class Family>
LinearOperator::Primitives LinearOperator::create(int images) {
  const Family family(shape_);
  const memory::desc src = family.src(shape_, images), dst = family.dst(shape_, images);
  const auto wanted = [&](const memory::desc Layouts::*pass, memory::data_type type) {
    return layouts_ ? (*layouts_).*pass
                    : memory::desc(weight_dims(shape_), type, memory::format_tag::any);
  };

  const auto type = activation_type(shape_);
  const auto forward = family.forward(src, wanted(&Layouts::forward, type), dst);
  const auto backward_weights_desc = [&](const memory::desc& weights) {
    return family.template backward<typename Family::BackwardWeights>(forward, src, weights, dst);
  };
  auto backward_weights = backward_weights_desc(wanted(&Layouts::master, kFloat));
  // A padded layout (10 classes in blocks of 16, say) would not fit into the flat arrays.
  if (backward_weights.diff_weights_desc().get_size() != canonical_.get_size())
    backward_weights = backward_weights_desc(canonical_);
  using BackwardDataDesc = typename Family::BackwardData::primitive_desc;
  std::optional<BackwardDataDesc> backward_data;
  if (shape_.src_needs_diff)
    backward_data = family.template backward<typename Family::BackwardData>(
        forward, src, wanted(&Layouts::backward_data, type), dst);

  if (!layouts_) {
    const memory::desc master = backward_weights.diff_weights_desc();
    layouts_ = Layouts{master, forward.weights_desc(),
                       backward_data ? backward_data->weights_desc() : master};
  }

  using Primitive = ThreadedPrimitive;
  Primitives made;
  made.forward = Primitive(
      typename Family::Forward(forward), forward.scratchpad_desc(),
      {{DNNL_ARG_SRC, src}, {DNNL_ARG_WEIGHTS, layouts_->forward}, {DNNL_ARG_DST, dst}}, threads_);
  made.backward_weights = Primitive(
      typename Family::BackwardWeights(backward_weights), backward_weights.scratchpad_desc(),
      {{DNNL_ARG_SRC, src}, {DNNL_ARG_DIFF_DST, dst}, {DNNL_ARG_DIFF_WEIGHTS, layouts_->master}},
      threads_);
  if (backward_data)
    made.backward_data =
        Primitive(typename Family::BackwardData(*backward_data), backward_data->scratchpad_desc(),
                  {{DNNL_ARG_DIFF_DST, dst},
                   {DNNL_ARG_WEIGHTS, layouts_->backward_data},
                   {DNNL_ARG_DIFF_SRC, src}},
                  threads_);
  return made;
}

void LinearOperator::prepare(int images) {
  if (primitives_.contains(images)) return;
  const SingleThreadScope single_thread;
  primitives_.emplace(
      images, shape_.dense ? create<DenseFamily>(images) : create<ConvolutionFamily>(images));
}

bool LinearOperator::can_cut_filters() const {
  return !shape_.dense && layouts_->master == blocked_weights_desc(shape_);
}

void LinearOperator::prepare_cut(int filters, int images) {
  if (cut_weights_.contains(images)) return;
  const SingleThreadScope single_thread;
  cut_weights_.emplace(images, create_cut(filters, images));
}

ThreadedPrimitive LinearOperator::create_cut(int filters, int images) const {
  LinearShape cut = shape_;
  cut.dst.channels = filters;
  const ConvolutionFamily family(cut);
  const memory::desc src = family.src(cut, images), dst = family.dst(cut, images);
  const memory::desc any(weight_dims(cut), activation_type(cut), memory::format_tag::any);
  const memory::desc weights = blocked_weights_desc(cut);
  const auto desc = family.backward<dnnl::convolution_backward_weights>(
      family.forward(src, any, dst), src, weights, dst);
  return {dnnl::convolution_backward_weights(desc),
          desc.scratchpad_desc(),
          {{DNNL_ARG_SRC, src}, {DNNL_ARG_DIFF_DST, dst}, {DNNL_ARG_DIFF_WEIGHTS, weights}},
          threads_};
}

void LinearOperator::backward_cut_weights(Thread& thread, int images, const void* src,
                                          const void* diff_dst, float* diff_weights) {
  cut_weights_.at(images).run(thread, {src, diff_dst, diff_weights});
}

void LinearOperator::to_canonical(std::span<const float> weights,
                                  std::span<float> canonical) const {
  Reorder(layouts_->master, canonical_).run(weights.data(), canonical.data());
}

void LinearOperator::from_canonical(std::span<const float> canonical,
                                    std::span<float> weights) const {
  Reorder(canonical_, layouts_->master).run(canonical.data(), weights.data());
}

std::size_t LinearOperator::copy_bytes() const {
  std::size_t bytes = 0;
  for (const WeightCopy* const copy : {&forward_weights_, &backward_weights_})
    if (copy->reorder) bytes += allocated_bytes(copy->reorder->to().get_size());
  return bytes;
}

std::size_t LinearOperator::scratchpad_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [images, made] : primitives_)
    for (const ThreadedPrimitive* const primitive :
         {&made.forward, &made.backward_data, &made.backward_weights})
      bytes = std::max(bytes, primitive->scratchpad_bytes());
  return bytes;
}

LinearOperator::WeightCopy LinearOperator::make_copy(const memory::desc& layout) const {
  WeightCopy copy;
  if (layout != layouts_->master) copy.reorder.emplace(layouts_->master, layout);
  return copy;
}

void LinearOperator::refresh(WeightCopy& copy, const float* weights) {
  copy.weights = weights;
  if (!copy.reorder) return;
  if (copy.storage.size() == 0)
    copy.storage = AlignedBuffer<std::byte>(copy.reorder->to().get_size());
  copy.reorder->run(weights, copy.storage.data());
  copy.weights = copy.storage.data();
}

void LinearOperator::load(const float* weights) {
  refresh(forward_weights_, weights);
  refresh(backward_weights_, weights);
}

void LinearOperator::load_forward(const LinearOperator& other, const float* weights) {
  AlignedBuffer<std::byte>& storage = forward_weights_.storage;
  if (storage.size() == 0) storage = AlignedBuffer<std::byte>(layouts_->forward.get_size());
  Reorder(other.layouts_->master, layouts_->forward).run(weights, storage.data());
  forward_weights_.weights = storage.data();
}

void LinearOperator::forward(Thread& thread, int images, const void* src, void* dst) {
  primitives_.at(images).forward.run(thread, {src, forward_weights_.weights, dst});
}

void LinearOperator::backward_data(Thread& thread, int images, const void* diff_dst,
                                   void* diff_src) {
  primitives_.at(images).backward_data.run(thread, {diff_dst, backward_weights_.weights, diff_src});
}

void LinearOperator::backward_weights(Thread& thread, int images, const void* src,
                                      const void* diff_dst, float* diff_weights) {
  primitives_.at(images).backward_weights.run(thread, {src, diff_dst, diff_weights});
}

namespace {

/// Calls body(place in the blocked order, place in the canonical order) for every weight.
template <class Body>
void for_each_weight(int channels, int filters, int window, const Body& body) {
  std::size_t blocked = 0;
  for (int k = 0; k < filters; k += kChannelBlock)
    for (int c = 0; c < channels; c += kChannelBlock)
      for (int at = 0; at < window; ++at)
        for (int i = 0; i < kChannelBlock; ++i)
          for (int o = 0; o < kChannelBlock; ++o, ++blocked)
            body(blocked, static_cast<std::size_t>((k + o) * channels + c + i) *
                                  static_cast<std::size_t>(window) +
                              static_cast<std::size_t>(at));
}

}  // namespace

void to_canonical_weights(std::span<const float> blocked, int channels, int filters, int window,
                          std::span<float> canonical) {
  for_each_weight(channels, filters, window,
                  [=](std::size_t from, std::size_t to) { canonical[to] = blocked[from]; });
}

void from_canonical_weights(std::span<const float> canonical, int channels, int filters, int window,
                            std::span<float> blocked) {
  for_each_weight(channels, filters, window,
                  [=](std::size_t to, std::size_t from) { blocked[to] = canonical[from]; });
}

}  // namespace localbatch
