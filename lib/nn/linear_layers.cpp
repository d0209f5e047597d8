#include <algorithm>
#include <utility>

#include "nn/elementwise.h"
#include "nn/layers.h"
#include "nn/linear_operator.h"
#include "nn/linear_samples.h"
#include "nn/partial_gradients.h"
#include "nn/sample_sums.h"

namespace localbatch {

int images_per_slice(const LinearShape& shape, int max_images) {
  constexpr std::size_t kCacheBytes = std::size_t{512} * 1024;
  const std::size_t image = shape.src.size() + shape.dst.size();
  const std::size_t by_cache = kCacheBytes / sizeof(float) / image;
  const std::size_t by_weights = 2 * shape.weight_count() / image;
  // Enough slices to share among threads remain even then.
  const std::size_t shared = (static_cast<std::size_t>(max_images) + 7) / 8;
  const std::size_t images = std::max({std::size_t{1}, by_cache, std::min(by_weights, shared)});
  return static_cast<int>(std::min(images, static_cast<std::size_t>(max_images)));
}

namespace {

/// Output channels of one piece of work when the gradient is cut by them.
constexpr int kCutFilters = 64;

/// Whether the gradient by the weights is cut by output channels and not by images: where the
/// weights are not much smaller than a micro-batch, gradients of slices of images would cost more
/// to write and to add than reading all images for each piece.
bool gradient_by_filters(const LinearShape& shape, int max_images) {
  const std::size_t image = shape.src.size() + shape.dst.size();
  return !shape.dense && !shape.src_is_plain && shape.dst.channels % kCutFilters == 0 &&
         5 * shape.weight_count() > static_cast<std::size_t>(max_images) * image;
}

/// The passes of a linear layer over a micro-batch, slice by slice: what convolutions and dense
/// layers have in common. T is the type of the activations.
template <class T>
class LinearPasses {
 public:
  LinearPasses(const Source<T>& src, const Destination<T>& dst,
               std::shared_ptr<LinearOperator> linear_operator, const TensorView& weight,
               int max_images);

  MemoryNeeds needs() const;
  void load(std::span<const float> parameters) {
    operator_->load(parameters.data() + weight_.offset);
  }

  /// `bias` may be empty.
  void forward(Team& team, const ForwardPass& pass, std::span<const float> bias);
  void backward(Team& team, const BackwardPass& pass);

 private:
  void prepare(int images);
  void backward_by_images(Team& team, const BackwardPass& pass);
  void backward_by_filters(Team& team, const BackwardPass& pass);
  bool samples_make_gradients(const BackwardPass& pass) const {
    return pass.samples != nullptr && samples_.makes_gradients();
  }
  void backward_slice(const BackwardPass& pass, Images images, Thread& thread, float* diff_weights);
  void backward_data(Images images, const T* diff_dst, Thread& thread);

  Source<T> src_;
  Destination<T> dst_;
  std::shared_ptr<LinearOperator> operator_;
  TensorView weight_;
  int max_images_, per_slice_;
  bool by_filters_;  ///< how the gradient by the weights is cut
  LinearSamples<T> samples_;
};

template <class T>
LinearPasses<T>::LinearPasses(const Source<T>& src, const Destination<T>& dst,
                              std::shared_ptr<LinearOperator> linear_operator,
                              const TensorView& weight, int max_images)
    : src_(src),
      dst_(dst),
      operator_(std::move(linear_operator)),
      weight_(weight),
      max_images_(max_images),
      per_slice_(operator_->images_per_slice()),
      by_filters_(gradient_by_filters(operator_->shape(), max_images) &&
                  operator_->can_cut_filters()),
      samples_(operator_, weight) {}

template <class T>
MemoryNeeds LinearPasses<T>::needs() const {
  const auto values = [this](const ImageShape& shape) {
    return scratch_bytes<float>(static_cast<std::size_t>(per_slice_) * shape.size());
  };
  const SliceGroups groups(max_images_, per_slice_);
  if (by_filters_) {
    const auto images = static_cast<std::size_t>(max_images_);
    const auto parts = static_cast<std::size_t>(dst_.shape().channels / kCutFilters);
    return {.thread_bytes = src_.scratch(per_slice_) + values(src_.shape()) + values(dst_.shape()) +
                            std::max(scratch_bytes<T>(images * dst_.shape().size() / parts) +
                                         scratch_bytes<float>(weight_.size / parts),
                                     samples_.scratch()),
            .scratchpad_bytes = operator_->scratchpad_bytes(),
            .shared_floats = images * src_.shape().size() * sizeof(T) / sizeof(float),
            .own_bytes = operator_->copy_bytes()};
  }
  return {.thread_bytes = src_.scratch(per_slice_) + values(src_.shape()) + values(dst_.shape()) +
                          scratch_bytes<float>(weight_.size) +
                          (samples_.makes_gradients() ? 0 : samples_.scratch()),
          .scratchpad_bytes = operator_->scratchpad_bytes(),
          .shared_floats = static_cast<std::size_t>(groups.groups()) * weight_.size,
          .own_bytes = operator_->copy_bytes()};
}

template <class T>
void LinearPasses<T>::prepare(int images) {
  operator_->prepare(std::min(images, per_slice_));
  if (images % per_slice_ != 0) operator_->prepare(images % per_slice_);
}

template <class T>
void LinearPasses<T>::forward(Team& team, const ForwardPass& pass, std::span<const float> bias) {
  prepare(pass.images);
  const SliceGroups slices(pass.images, per_slice_);
  team.for_each(slices.slices(), Phase::kForward, [&](int index, Thread& thread) {
    const Thread::Frame frame(thread);
    const Images images = slices.slice(index);
    const T* const src = src_.values_forward(images, thread);
    operator_->forward(thread, images.count, src, dst_.values(images));
    if constexpr (std::is_same_v<T, float>)
      for (int i = 0; i < images.count && !bias.empty(); ++i)
        add(bias.data(), bias.size(), dst_.values({images.first + i, 1}));
    dst_.written(all_channels(images, dst_.shape()), pass, thread);
  });
}

template <class T>
void LinearPasses<T>::backward(Team& team, const BackwardPass& pass) {
  if (pass.samples != nullptr) samples_.prepare(*pass.samples, pass.images);
  if (by_filters_)
    backward_by_filters(team, pass);
  else
    backward_by_images(team, pass);
}

template <class T>
void LinearPasses<T>::backward_by_filters(Team& team, const BackwardPass& pass) {
  const Images all{0, pass.images};
  T* const computed_src = reinterpret_cast<T*>(team.shared().data());
  const T* const src = src_.is_stored() ? src_.stored(all) : computed_src;
  const SliceGroups slices(pass.images, per_slice_);
  team.for_each(slices.slices(), Phase::kElementwise, [&](int index, Thread& thread) {
    const Thread::Frame frame(thread);
    const Images images = slices.slice(index);
    if (!src_.is_stored()) src_.compute(images, computed_src, thread);
    if (pass.samples == nullptr && src_.diff_use() == DiffUse::kNone) return;
    const T* const diff_dst = dst_.diff(images, thread);
    if (pass.samples != nullptr)
      samples_.add_slice(*pass.samples, images,
                         src + static_cast<std::size_t>(images.first) * src_.shape().size(),
                         diff_dst, nullptr, thread);
    if (src_.diff_use() != DiffUse::kNone) backward_data(images, diff_dst, thread);
  });
  if (pass.gradient.empty()) return;
  operator_->prepare_cut(kCutFilters, pass.images);
  const int parts = dst_.shape().channels / kCutFilters;
  const std::size_t part_size = weight_.size / static_cast<std::size_t>(parts);
  team.for_each(parts, Phase::kBackwardWeights, [&](int part, Thread& thread) {
    const Thread::Frame frame(thread);
    const T* const diff_dst = dst_.channels_of_diff(
        {.images = all, .first_channel = part * kCutFilters, .channels = kCutFilters}, thread);
    float* const gradient =
        pass.gradient.data() + weight_.offset + static_cast<std::size_t>(part) * part_size;
    float* const diff_weights = pass.adds() ? thread.take<float>(part_size) : gradient;
    operator_->backward_cut_weights(thread, pass.images, src, diff_dst, diff_weights);
    if (pass.adds()) add(diff_weights, part_size, gradient);
  });
}

template <class T>
void LinearPasses<T>::backward_by_images(Team& team, const BackwardPass& pass) {
  const SliceGroups slices(pass.images, per_slice_);
  const bool samples_add = samples_make_gradients(pass);
  team.for_each(slices.groups(), Phase::kBackwardWeights, [&](int group, Thread& thread) {
    float* const partial =
        pass.gradient.empty()
            ? nullptr
            : team.shared().data() + static_cast<std::size_t>(group) * weight_.size;
    if (samples_add && partial != nullptr) std::fill_n(partial, weight_.size, 0.0F);
    const int first = slices.first_slice(group), last = slices.first_slice(group + 1);
    for (int index = first; index < last; ++index) {
      const Thread::Frame frame(thread);
      const bool is_more = index > first && partial != nullptr && !samples_add;
      float* const mine = is_more ? thread.take<float>(weight_.size) : partial;
      backward_slice(pass, slices.slice(index), thread, mine);
      if (is_more) add(mine, weight_.size, partial);
    }
  });
  if (!pass.gradient.empty())
    add_groups(team, team.shared(), slices.groups(), pass.use,
               pass.gradient.subspan(weight_.offset, weight_.size));
}

template <class T>
void LinearPasses<T>::backward_slice(const BackwardPass& pass, Images images, Thread& thread,
                                     float* diff_weights) {
  const Thread::Frame frame(thread);
  const T* const diff_dst = dst_.diff(images, thread);
  const T* const src = src_.values_backward(images, thread);
  if (pass.samples != nullptr)
    samples_.add_slice(*pass.samples, images, src, diff_dst, diff_weights, thread);
  if (diff_weights != nullptr && !samples_make_gradients(pass))
    operator_->backward_weights(thread, images.count, src, diff_dst, diff_weights);
  if (src_.diff_use() != DiffUse::kNone) backward_data(images, diff_dst, thread);
}

template <class T>
void LinearPasses<T>::backward_data(Images images, const T* diff_dst, Thread& thread) {
  const Thread::Timed timed(thread, Phase::kBackwardData);
  if (src_.diff_use() == DiffUse::kAdd) {
    T* const mine = thread.take<T>(static_cast<std::size_t>(images.count) * src_.shape().size());
    operator_->backward_data(thread, images.count, diff_dst, mine);
    src_.contribute(images, mine);
  } else {
    operator_->backward_data(thread, images.count, diff_dst, src_.diff(images));
  }
  src_.diff_written(all_channels(images, src_.shape()), thread);
}

template <class T>
class ConvolutionLayer final : public Layer {
 public:
  explicit ConvolutionLayer(LinearPasses<T> passes) : passes_(std::move(passes)) {}

  MemoryNeeds needs() const override { return passes_.needs(); }
  void load(std::span<const float> parameters, Thread&) override { passes_.load(parameters); }
  void forward(Team& team, const ForwardPass& pass) override { passes_.forward(team, pass, {}); }
  void backward(Team& team, const BackwardPass& pass) override { passes_.backward(team, pass); }

 private:
  LinearPasses<T> passes_;
};

}  // namespace

template <class T>
std::unique_ptr<Layer> make_convolution_layer(const Source<T>& src, const Destination<T>& dst,
                                              std::shared_ptr<LinearOperator> linear_operator,
                                              const TensorView& weight, int max_images) {
  return std::make_unique<ConvolutionLayer<T>>(
      LinearPasses<T>(src, dst, std::move(linear_operator), weight, max_images));
}

template std::unique_ptr<Layer> make_convolution_layer(const Source<float>&,
                                                       const Destination<float>&,
                                                       std::shared_ptr<LinearOperator>,
                                                       const TensorView&, int);
template std::unique_ptr<Layer> make_convolution_layer(const Source<Bfloat16>&,
                                                       const Destination<Bfloat16>&,
                                                       std::shared_ptr<LinearOperator>,
                                                       const TensorView&, int);

namespace {

class DenseLayer final : public Layer {
 public:
  DenseLayer(LinearPasses<float> passes, const Destination<float>& dst, const TensorView& bias)
      : passes_(std::move(passes)), dst_(dst), bias_(bias) {}

  MemoryNeeds needs() const override { return passes_.needs(); }
  void load(std::span<const float> parameters, Thread&) override { passes_.load(parameters); }

  void forward(Team& team, const ForwardPass& pass) override {
    passes_.forward(team, pass, pass.parameters.subspan(bias_.offset, bias_.size));
  }

  void backward(Team& team, const BackwardPass& pass) override {
    team.for_each(1, Phase::kElementwise, [&](int, Thread& thread) {
      const bool wants_gradient = !pass.gradient.empty();
      if (wants_gradient && !pass.adds())
        std::fill_n(pass.gradient.data() + bias_.offset, bias_.size, 0.0F);
      for (int image = 0; image < pass.images; ++image) {
        const Thread::Frame frame(thread);
        const float* const diff = dst_.diff({image, 1}, thread);
        if (wants_gradient) add(diff, bias_.size, pass.gradient.data() + bias_.offset);
        if (pass.samples != nullptr)
          add_to_sums(*pass.samples, image, bias_.offset, {diff, bias_.size});
      }
    });
    passes_.backward(team, pass);
  }

 private:
  LinearPasses<float> passes_;
  Destination<float> dst_;
  TensorView bias_;
};

}  // namespace

std::unique_ptr<Layer> make_dense_layer(const Source<float>& src, const Destination<float>& dst,
                                        std::shared_ptr<LinearOperator> linear_operator,
                                        const TensorView& weight, const TensorView& bias,
                                        int max_images) {
  return std::make_unique<DenseLayer>(
      LinearPasses<float>(src, dst, std::move(linear_operator), weight, max_images), dst, bias);
}

}  // namespace localbatch
