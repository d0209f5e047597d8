#include "nn/linear_operator.h"

#include "nn/layer.h"

namespace localbatch {

namespace {

using dnnl::memory;

constexpr auto kFloat = memory::data_type::f32;
constexpr auto kBlocked =
    kChannelBlock == 16 ? memory::format_tag::nChw16c : memory::format_tag::nChw8c;

memory::desc activation_desc(int images, const ImageShape& shape, bool plain) {
  return {{images, shape.channels, shape.height, shape.width},
          kFloat,
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
    return activation_desc(images, shape.src, shape.src_is_plain);
  }
  static memory::desc dst(const LinearShape& shape, int images) {
    return activation_desc(images, shape.dst, false);
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

}  // namespace

LinearOperator::LinearOperator(const LinearShape& shape, int threads)
    : shape_(shape), threads_(threads), canonical_(canonical_desc(shape)) {
  prepare(kSliceImages);
}

std::size_t LinearOperator::weight_count() const { return canonical_.get_size() / sizeof(float); }

template <class Family>
LinearOperator::Primitives LinearOperator::create(int images) {
  const Family family(shape_);
  const memory::desc src = family.src(shape_, images), dst = family.dst(shape_, images);
  const memory::desc any(weight_dims(shape_), kFloat, memory::format_tag::any);
  const auto wanted = [&](const memory::desc Layouts::*pass) {
    return layouts_ ? (*layouts_).*pass : any;
  };

  const auto forward = family.forward(src, wanted(&Layouts::forward), dst);
  const auto backward_weights_desc = [&](const memory::desc& weights) {
    return family.template backward<typename Family::BackwardWeights>(forward, src, weights, dst);
  };
  auto backward_weights = backward_weights_desc(wanted(&Layouts::master));
  // A padded layout (10 classes in blocks of 16, say) would not fit into the flat arrays.
  if (backward_weights.diff_weights_desc().get_size() != canonical_.get_size())
    backward_weights = backward_weights_desc(canonical_);
  using BackwardDataDesc = typename Family::BackwardData::primitive_desc;
  std::optional<BackwardDataDesc> backward_data;
  if (shape_.src_needs_diff)
    backward_data = family.template backward<typename Family::BackwardData>(
        forward, src, wanted(&Layouts::backward_data), dst);

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

void LinearOperator::to_canonical(std::span<const float> weights,
                                  std::span<float> canonical) const {
  reorder(layouts_->master, weights.data(), canonical_, canonical.data());
}

void LinearOperator::from_canonical(std::span<const float> canonical,
                                    std::span<float> weights) const {
  reorder(canonical_, canonical.data(), layouts_->master, weights.data());
}

void LinearOperator::refresh(WeightCopy& copy, const memory::desc& layout, const float* weights) {
  if (layout == layouts_->master) {
    copy.weights = weights;
    return;
  }
  if (copy.storage.size() == 0)
    copy.storage = AlignedBuffer<float>(layout.get_size() / sizeof(float));
  reorder(layouts_->master, weights, layout, copy.storage.data());
  copy.weights = copy.storage.data();
}

void LinearOperator::load(const float* weights) {
  refresh(forward_weights_, layouts_->forward, weights);
  if (shape_.src_needs_diff) refresh(backward_weights_, layouts_->backward_data, weights);
}

void LinearOperator::forward(int thread, int images, const float* src, float* dst) {
  primitives_.at(images).forward.run(thread, {src, forward_weights_.weights, dst});
}

void LinearOperator::backward_data(int thread, int images, const float* diff_dst, float* diff_src) {
  primitives_.at(images).backward_data.run(thread, {diff_dst, backward_weights_.weights, diff_src});
}

void LinearOperator::backward_weights(int thread, int images, const float* src,
                                      const float* diff_dst, float* diff_weights) {
  primitives_.at(images).backward_weights.run(thread, {src, diff_dst, diff_weights});
}

}  // namespace localbatch
