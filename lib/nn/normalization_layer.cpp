#include <cstring>
#include <optional>
#include <utility>

#include "nn/elementwise.h"
#include "nn/layers.h"

namespace localbatch {

namespace {

/// The passes of this layer only turn sums into coefficients (normalizers.h). The work on pixels
/// happens when its neighbours have a slice in the cache: `observe` when the source is written,
/// `compute` when the output is read, `observe_diff` when the output's diff is complete and
/// `compute_diff` when the source's diff is read.
template <class T>
class NormalizationLayer final : public Layer {
 public:
  NormalizationLayer(const Source<T>& src, std::optional<Source<T>> residual,
                     const Destination<T>& dst, bool relu, std::unique_ptr<Normalizer> normalizer)
      : src_(src),
        residual_(residual),
        dst_(dst),
        relu_(relu),
        channels_(static_cast<std::size_t>(dst.shape().channels)),
        pixels_(dst.shape().size() / channels_),
        normalizer_(std::move(normalizer)) {}

  MemoryNeeds needs() const override { return {.own_bytes = normalizer_->bytes()}; }

  void observe(const Region& region, const ForwardPass& pass, Thread& thread) override {
    if (!normalizer_->observes(pass)) return;
    const Thread::Timed timed(thread, Phase::kElementwise);
    for_each_block(region, [&](int image, std::size_t c) {
      moments(at(src_.stored(one(image)), c), pixels_, normalizer_->sums(image) + c,
              normalizer_->second_sums(image) + c);
    });
  }

  void forward(Team& team, const ForwardPass& pass) override { normalizer_->forward(team, pass); }

  void compute(Images images, std::byte* dst, Thread& thread) override {
    const Thread::Frame frame(thread);
    const T* const x = src_.stored(images);
    const T* const residual = residual_ ? residual_->values_forward(images, thread) : nullptr;
    T* const y = reinterpret_cast<T*>(dst);
    const Thread::Timed timed(thread, Phase::kElementwise);
    for (int i = 0; i < images.count; ++i) {
      const NormCoefficients its = normalizer_->coefficients(images.first + i);
      for (std::size_t c = 0; c < channels_; c += kChannelBlock) {
        const std::size_t block = static_cast<std::size_t>(i) * channels_ * pixels_ + c * pixels_;
        normalize(x + block, residual != nullptr ? residual + block : nullptr, pixels_,
                  its.factor + c, its.offset + c, relu_, y + block);
      }
    }
  }

  void observe_diff(const Region& region, Thread& thread) override {
    {
      const Thread::Timed timed(thread, Phase::kElementwise);
      for_each_block(region, [&](int image, std::size_t c) {
        const NormCoefficients its = normalizer_->coefficients(image);
        const T* const x = at(src_.stored(one(image)), c);
        T* const dy = at(dst_.stored_diff(one(image)), c);
        double* const sum_dy = normalizer_->sums(image) + c;
        double* const sum_centered = normalizer_->second_sums(image) + c;
        if (!relu_)
          diff_moments(x, dy, pixels_, its.mean + c, sum_dy, sum_centered);
        else if (dst_.is_stored())
          mask_and_diff_moments(x, at(dst_.values(one(image)), c), pixels_, its.mean + c, dy,
                                sum_dy, sum_centered);
        else
          remask_and_diff_moments(x, pixels_, its.mean + c, its.factor + c, its.offset + c, dy,
                                  sum_dy, sum_centered);
        if (residual_) pass_on(image, c, dy);
      });
    }
    if (residual_) residual_->diff_written(region, thread);
  }

  void backward(Team& team, const BackwardPass& pass) override {
    normalizer_->backward(team, pass);
    if (src_.diff_is_stored()) store_diff(team, pass.images);
  }

  void compute_diff(const Region& region, std::byte* diff_src, Thread& thread) override {
    const Thread::Timed timed(thread, Phase::kElementwise);
    T* dx = reinterpret_cast<T*>(diff_src);
    for_each_block(region, [&](int image, std::size_t c) {
      const NormCoefficients its = normalizer_->coefficients(image);
      combine_diff(at(src_.stored(one(image)), c), at(dst_.stored_diff(one(image)), c), pixels_,
                   its.mean + c, its.diff_factor + c, its.diff_slope + c, its.diff_offset + c, dx);
      dx += pixels_ * kChannelBlock;
    });
  }

 private:
  static Images one(int image) { return {.first = image, .count = 1}; }

  template <class Pointer>
  Pointer at(Pointer image, std::size_t channel) const {
    return image + channel * pixels_;
  }

  /// Calls body(image, first channel) for each channel block.
  template <class Body>
  static void for_each_block(const Region& region, const Body& body) {
    for (int image = region.images.first; image < region.images.first + region.images.count;
         ++image)
      for (int c = region.first_channel; c < region.first_channel + region.channels;
           c += kChannelBlock)
        body(image, static_cast<std::size_t>(c));
  }

  void pass_on(int image, std::size_t channel, const T* dy) const {
    const std::size_t count = pixels_ * kChannelBlock;
    if (residual_->diff_use() == DiffUse::kAdd)
      add(dy, count, at(residual_->diff(one(image)), channel));
    else if (residual_->diff_use() == DiffUse::kWrite)
      std::memcpy(at(residual_->diff(one(image)), channel), dy, count * sizeof(T));
  }

  /// For a source that others read as well.
  void store_diff(Team& team, int images) {
    team.for_each(images, Phase::kElementwise, [this](int image, Thread& thread) {
      const Thread::Frame frame(thread);
      T* const dx = thread.take<T>(channels_ * pixels_);
      compute_diff(all_channels(one(image), src_.shape()), reinterpret_cast<std::byte*>(dx),
                   thread);
      src_.contribute(one(image), dx);
      src_.diff_written(all_channels(one(image), src_.shape()), thread);
    });
  }

  Source<T> src_;
  std::optional<Source<T>> residual_;
  Destination<T> dst_;
  bool relu_;
  std::size_t channels_, pixels_;
  std::unique_ptr<Normalizer> normalizer_;
};

}  // namespace

template <class T>
std::unique_ptr<Layer> make_normalization_layer(const Source<T>& src,
                                                std::optional<Source<T>> residual,
                                                const Destination<T>& dst,
                                                const Normalization& kind, int max_images,
                                                const NormalizationTensors& tensors) {
  return std::make_unique<NormalizationLayer<T>>(
      src, residual, dst, kind.relu,
      kind.is_batch_norm() ? make_batch_normalizer(dst.shape(), max_images, tensors)
                           : make_group_normalizer(dst.shape(), kind.groups, max_images, tensors));
}

template std::unique_ptr<Layer> make_normalization_layer(const Source<float>&,
                                                         std::optional<Source<float>>,
                                                         const Destination<float>&,
                                                         const Normalization&, int,
                                                         const NormalizationTensors&);
template std::unique_ptr<Layer> make_normalization_layer(const Source<Bfloat16>&,
                                                         std::optional<Source<Bfloat16>>,
                                                         const Destination<Bfloat16>&,
                                                         const Normalization&, int,
                                                         const NormalizationTensors&);

}  // namespace localbatch
