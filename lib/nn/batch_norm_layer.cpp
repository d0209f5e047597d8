#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "nn/batch_norm_kernels.h"
#include "nn/layers.h"

namespace localbatch {

namespace {

constexpr double kEpsilon = 1e-5;
constexpr double kRunningMomentum = 0.1;

class BatchNormLayer final : public Layer {
 public:
  BatchNormLayer(const Wiring& wiring, const ResidualWiring& residual, const BatchNorm& kind,
                 int max_images, const TensorView& scale, const TensorView& shift,
                 const TensorView& running_mean, const TensorView& running_variance)
      : wiring_(wiring),
        residual_(residual),
        relu_(kind.relu),
        scale_(scale),
        shift_(shift),
        running_mean_(running_mean),
        running_variance_(running_variance),
        channels_(static_cast<std::size_t>(wiring.dst->shape.channels)),
        pixels_(static_cast<std::size_t>(wiring.dst->shape.height) *
                static_cast<std::size_t>(wiring.dst->shape.width)),
        sums_(static_cast<std::size_t>(num_slices(max_images)) * 2 * channels_) {
    for (std::vector<float>* const coefficients :
         {&mean_, &inverse_deviation_, &factor_, &slope_, &offset_})
      coefficients->resize(channels_);
  }

  void forward(const ForwardPass& pass) override {
    if (pass.training)
      use_micro_batch_statistics(pass);
    else
      use_running_statistics(pass);
    for (std::size_t c = 0; c < channels_; ++c) {
      factor_[c] = pass.parameters[scale_.offset + c] * inverse_deviation_[c];
      offset_[c] = pass.parameters[shift_.offset + c] - mean_[c] * factor_[c];
    }
    wiring_.team.for_each_slice(pass.images, [&](const Slice& slice, int) {
      for_each_block(slice, [&](int image, std::size_t c, std::size_t at) {
        normalize(wiring_.src->image(image) + at,
                  residual_.add != nullptr ? residual_.add->image(image) + at : nullptr, pixels_,
                  &factor_[c], &offset_[c], relu_, wiring_.dst->mutable_image(image) + at);
      });
    });
  }

  void backward(const BackwardPass& pass) override {
    sums_of_slices(pass.images, [&](int image, std::size_t c, std::size_t at, double* sum_dy,
                                    double* sum_dy_centered) {
      mask_and_add_moments(wiring_.src->image(image) + at,
                           relu_ ? wiring_.dst->image(image) + at : nullptr, pixels_, &mean_[c],
                           wiring_.dst->diff_image(image) + at, sum_dy, sum_dy_centered);
    });
    // With x^ = (x - mean) inverse_deviation and N values per channel,
    // dx = scale inverse_deviation (dy - mean(dy) - x^ mean(dy x^)).
    const double count = static_cast<double>(pixels_) * pass.images;
    for (std::size_t c = 0; c < channels_; ++c) {
      const double sum_dy = sums_[c], sum_dy_centered = sums_[channels_ + c];
      const double inverse = inverse_deviation_[c];
      const double factor = pass.parameters[scale_.offset + c] * inverse;
      pass.gradient[scale_.offset + c] += static_cast<float>(sum_dy_centered * inverse);
      pass.gradient[shift_.offset + c] += static_cast<float>(sum_dy);
      factor_[c] = static_cast<float>(factor);
      slope_[c] = static_cast<float>(-factor * inverse * inverse * sum_dy_centered / count);
      offset_[c] = static_cast<float>(-factor * sum_dy / count);
    }
    wiring_.team.for_each_slice(pass.images, [&](const Slice& slice, int) {
      pass_on_residual(slice);
      for_each_block(slice, [&](int image, std::size_t c, std::size_t at) {
        combine_gradient(wiring_.src->image(image) + at, wiring_.dst->diff_image(image) + at,
                         pixels_, &mean_[c], &factor_[c], &slope_[c], &offset_[c],
                         wiring_.src_diff == DiffUse::kAdd, wiring_.src->diff_image(image) + at);
      });
    });
  }

 private:
  /// Calls body(image, first channel, offset in the image) for each channel block of a slice.
  template <class Body>
  void for_each_block(const Slice& slice, const Body& body) const {
    for (int image = slice.first; image < slice.first + slice.images; ++image)
      for (std::size_t c = 0; c < channels_; c += kChannelBlock) body(image, c, c * pixels_);
  }

  /// Two sums per channel over the micro-batch, added slice by slice into the first slice's place.
  template <class AddBlock>
  void sums_of_slices(int images, const AddBlock& add_block) {
    wiring_.team.for_each_slice(images, [&](const Slice& slice, int) {
      double* const mine = sums_.data() + static_cast<std::size_t>(slice.index) * 2 * channels_;
      std::memset(mine, 0, 2 * channels_ * sizeof(double));
      for_each_block(slice, [&](int image, std::size_t c, std::size_t at) {
        add_block(image, c, at, mine + c, mine + channels_ + c);
      });
    });
    for (int index = 1; index < num_slices(images); ++index)
      for (std::size_t i = 0; i < 2 * channels_; ++i)
        sums_[i] += sums_[static_cast<std::size_t>(index) * 2 * channels_ + i];
  }

  void use_micro_batch_statistics(const ForwardPass& pass) {
    sums_of_slices(pass.images, [&](int image, std::size_t, std::size_t at, double* sum,
                                    double* sum_of_squares) {
      add_moments(wiring_.src->image(image) + at, pixels_, sum, sum_of_squares);
    });
    const double count = static_cast<double>(pixels_) * pass.images;
    for (std::size_t c = 0; c < channels_; ++c) {
      const double mean = sums_[c] / count;
      const double variance = std::max(0.0, sums_[channels_ + c] / count - mean * mean);
      mean_[c] = static_cast<float>(mean);
      inverse_deviation_[c] = static_cast<float>(1 / std::sqrt(variance + kEpsilon));
      const double unbiased = count > 1 ? variance * count / (count - 1) : variance;
      move_towards(pass.statistics[running_mean_.offset + c], mean);
      move_towards(pass.statistics[running_variance_.offset + c], unbiased);
    }
  }

  void use_running_statistics(const ForwardPass& pass) {
    for (std::size_t c = 0; c < channels_; ++c) {
      mean_[c] = pass.statistics[running_mean_.offset + c];
      const double variance = pass.statistics[running_variance_.offset + c];
      inverse_deviation_[c] = static_cast<float>(1 / std::sqrt(variance + kEpsilon));
    }
  }

  static void move_towards(float& running, double now) {
    running = static_cast<float>((1 - kRunningMomentum) * running + kRunningMomentum * now);
  }

  void pass_on_residual(const Slice& slice) const {
    if (residual_.add_diff == DiffUse::kNone) return;
    const std::size_t size = static_cast<std::size_t>(slice.images) * channels_ * pixels_;
    const float* const dy = wiring_.dst->diff_image(slice.first);
    float* const diff = residual_.add->diff_image(slice.first);
    if (residual_.add_diff == DiffUse::kWrite) {
      std::memcpy(diff, dy, size * sizeof(float));
    } else {
      for (std::size_t i = 0; i < size; ++i) diff[i] += dy[i];
    }
  }

  Wiring wiring_;
  ResidualWiring residual_;
  bool relu_;
  TensorView scale_, shift_, running_mean_, running_variance_;
  std::size_t channels_, pixels_;
  std::vector<double> sums_;  ///< [slice][2][channel]
  std::vector<float> mean_, inverse_deviation_, factor_, slope_, offset_;
};

}  // namespace

std::unique_ptr<Layer> make_batch_norm_layer(const Wiring& wiring, const ResidualWiring& residual,
                                             const BatchNorm& kind, int max_images,
                                             const TensorView& scale, const TensorView& shift,
                                             const TensorView& running_mean,
                                             const TensorView& running_variance) {
  return std::make_unique<BatchNormLayer>(wiring, residual, kind, max_images, scale, shift,
                                          running_mean, running_variance);
}

}  // namespace localbatch
