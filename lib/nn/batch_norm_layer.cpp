#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

#include "nn/elementwise.h"
#include "nn/layers.h"

namespace localbatch {

namespace {

constexpr double kEpsilon = 1e-5;
constexpr double kRunningMomentum = 0.1;

/// Its forward and backward only turn sums into coefficients. The work on pixels happens when its
/// neighbours have a slice in the cache: `observe` when the source is written, `compute` when the
/// output is read, `observe_diff` when the output's diff is complete and `compute_diff` when the
/// source's diff is read.
template <class T>
class BatchNormLayer final : public Layer {
 public:
  BatchNormLayer(const Source<T>& src, std::optional<Source<T>> residual, const Destination<T>& dst,
                 const BatchNorm& kind, int max_images, const BatchNormTensors& tensors)
      : src_(src),
        residual_(residual),
        dst_(dst),
        relu_(kind.relu),
        tensors_(tensors),
        channels_(static_cast<std::size_t>(dst.shape().channels)),
        pixels_(dst.shape().size() / channels_),
        sums_(static_cast<std::size_t>(max_images) * 2 * channels_) {
    for (std::vector<float>* const coefficients : {&mean_, &inverse_deviation_, &factor_, &offset_,
                                                   &diff_factor_, &diff_slope_, &diff_offset_})
      coefficients->resize(channels_);
  }

  MemoryNeeds needs() const override {
    return {.own_bytes = sums_.size() * sizeof(double) + 7 * channels_ * sizeof(float)};
  }

  void observe(const Region& region, Thread& thread) override {
    const Thread::Timed timed(thread, Phase::kElementwise);
    for_each_block(region, [&](int image, std::size_t c) {
      moments(at(src_.stored(one(image)), c), pixels_, sum(image) + c, sum(image) + channels_ + c);
    });
  }

  void forward(Team&, const ForwardPass& pass) override {
    if (pass.batch_norm == NormStatistics::kMicroBatch)
      use_micro_batch_statistics(pass);
    else
      use_running_statistics(pass);
    for (std::size_t c = 0; c < channels_; ++c) {
      factor_[c] = pass.parameters[tensors_.scale.offset + c] * inverse_deviation_[c];
      offset_[c] = pass.parameters[tensors_.shift.offset + c] - mean_[c] * factor_[c];
    }
  }

  void compute(Images images, std::byte* dst, Thread& thread) override {
    const Thread::Frame frame(thread);
    const T* const x = src_.stored(images);
    const T* const residual = residual_ ? residual_->values_forward(images, thread) : nullptr;
    T* const y = reinterpret_cast<T*>(dst);
    const Thread::Timed timed(thread, Phase::kElementwise);
    for (int i = 0; i < images.count; ++i)
      for (std::size_t c = 0; c < channels_; c += kChannelBlock) {
        const std::size_t block = static_cast<std::size_t>(i) * channels_ * pixels_ + c * pixels_;
        normalize(x + block, residual != nullptr ? residual + block : nullptr, pixels_, &factor_[c],
                  &offset_[c], relu_, y + block);
      }
  }

  void observe_diff(const Region& region, Thread& thread) override {
    {
      const Thread::Timed timed(thread, Phase::kElementwise);
      for_each_block(region, [&](int image, std::size_t c) {
        const T* const x = at(src_.stored(one(image)), c);
        T* const dy = at(dst_.stored_diff(one(image)), c);
        double* const sum_dy = sum(image) + c;
        double* const sum_centered = sum_dy + channels_;
        if (!relu_)
          diff_moments(x, dy, pixels_, &mean_[c], sum_dy, sum_centered);
        else if (dst_.is_stored())
          mask_and_diff_moments(x, at(dst_.values(one(image)), c), pixels_, &mean_[c], dy, sum_dy,
                                sum_centered);
        else
          remask_and_diff_moments(x, pixels_, &mean_[c], &factor_[c], &offset_[c], dy, sum_dy,
                                  sum_centered);
        if (residual_) pass_on(image, c, dy);
      });
    }
    if (residual_) residual_->diff_written(region, thread);
  }

  void backward(Team& team, const BackwardPass& pass) override {
    add_up_images(pass.images);
    // With x^ = (x - mean) inverse_deviation and N values per channel,
    // dx = scale inverse_deviation (dy - mean(dy) - x^ mean(dy x^)).
    const double count = static_cast<double>(pixels_) * pass.images;
    for (std::size_t c = 0; c < channels_; ++c) {
      const double sum_dy = sums_[c], sum_dy_centered = sums_[channels_ + c];
      const double inverse = inverse_deviation_[c];
      const double factor = pass.parameters[tensors_.scale.offset + c] * inverse;
      float& diff_scale = pass.gradient[tensors_.scale.offset + c];
      float& diff_shift = pass.gradient[tensors_.shift.offset + c];
      diff_scale = (pass.adds() ? diff_scale : 0) + static_cast<float>(sum_dy_centered * inverse);
      diff_shift = (pass.adds() ? diff_shift : 0) + static_cast<float>(sum_dy);
      diff_factor_[c] = static_cast<float>(factor);
      diff_slope_[c] = static_cast<float>(-factor * inverse * inverse * sum_dy_centered / count);
      diff_offset_[c] = static_cast<float>(-factor * sum_dy / count);
    }
    if (src_.diff_is_stored()) store_diff(team, pass.images);
  }

  void compute_diff(const Region& region, std::byte* diff_src, Thread& thread) override {
    const Thread::Timed timed(thread, Phase::kElementwise);
    T* dx = reinterpret_cast<T*>(diff_src);
    for_each_block(region, [&](int image, std::size_t c) {
      combine_diff(at(src_.stored(one(image)), c), at(dst_.stored_diff(one(image)), c), pixels_,
                   &mean_[c], &diff_factor_[c], &diff_slope_[c], &diff_offset_[c], dx);
      dx += pixels_ * kChannelBlock;
    });
  }

 private:
  static Images one(int image) { return {.first = image, .count = 1}; }
  double* sum(int image) { return sums_.data() + static_cast<std::size_t>(image) * 2 * channels_; }

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

  /// The sums of all images into the place of the first, in their order.
  void add_up_images(int images) {
    for (int image = 1; image < images; ++image) {
      const double* const mine = sum(image);
      for (std::size_t i = 0; i < 2 * channels_; ++i) sums_[i] += mine[i];
    }
  }

  void use_micro_batch_statistics(const ForwardPass& pass) {
    add_up_images(pass.images);
    const double count = static_cast<double>(pixels_) * pass.images;
    for (std::size_t c = 0; c < channels_; ++c) {
      const double mean = sums_[c] / count;
      const double variance = std::max(0.0, sums_[channels_ + c] / count - mean * mean);
      mean_[c] = static_cast<float>(mean);
      inverse_deviation_[c] = static_cast<float>(1 / std::sqrt(variance + kEpsilon));
      const double unbiased = count > 1 ? variance * count / (count - 1) : variance;
      if (!pass.moves_running_statistics) continue;
      move_towards(pass.statistics[tensors_.running_mean.offset + c], mean);
      move_towards(pass.statistics[tensors_.running_variance.offset + c], unbiased);
    }
  }

  void use_running_statistics(const ForwardPass& pass) {
    for (std::size_t c = 0; c < channels_; ++c) {
      mean_[c] = pass.statistics[tensors_.running_mean.offset + c];
      const double variance = pass.statistics[tensors_.running_variance.offset + c];
      inverse_deviation_[c] = static_cast<float>(1 / std::sqrt(variance + kEpsilon));
    }
  }

  static void move_towards(float& running, double now) {
    running = static_cast<float>((1 - kRunningMomentum) * running + kRunningMomentum * now);
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
  BatchNormTensors tensors_;
  std::size_t channels_, pixels_;
  std::vector<double> sums_;  ///< [image][2][channel]
  std::vector<float> mean_, inverse_deviation_;
  std::vector<float> factor_, offset_;                         ///< y = factor x + offset
  std::vector<float> diff_factor_, diff_slope_, diff_offset_;  ///< of combine_diff
};

}  // namespace

template <class T>
std::unique_ptr<Layer> make_batch_norm_layer(const Source<T>& src,
                                             std::optional<Source<T>> residual,
                                             const Destination<T>& dst, const BatchNorm& kind,
                                             int max_images, const BatchNormTensors& tensors) {
  return std::make_unique<BatchNormLayer<T>>(src, residual, dst, kind, max_images, tensors);
}

template std::unique_ptr<Layer> make_batch_norm_layer(const Source<float>&,
                                                      std::optional<Source<float>>,
                                                      const Destination<float>&, const BatchNorm&,
                                                      int, const BatchNormTensors&);
template std::unique_ptr<Layer> make_batch_norm_layer(const Source<Bfloat16>&,
                                                      std::optional<Source<Bfloat16>>,
                                                      const Destination<Bfloat16>&,
                                                      const BatchNorm&, int,
                                                      const BatchNormTensors&);

}  // namespace localbatch
