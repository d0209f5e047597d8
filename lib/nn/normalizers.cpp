#include "nn/normalizers.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace localbatch {

namespace {

constexpr double kEpsilon = 1e-5;
constexpr std::size_t kCoefficients = 7;

}  // namespace

Normalizer::Normalizer(const ImageShape& shape, Coefficients coefficients, int max_images,
                       NormalizationTensors tensors)
    : tensors_(std::move(tensors)),
      channels_(static_cast<std::size_t>(shape.channels)),
      pixels_(shape.size() / channels_),
      coefficient_stride_(coefficients == Coefficients::kOfEveryImage ? kCoefficients * channels_
                                                                      : 0),
      sums_(static_cast<std::size_t>(max_images) * 2 * channels_),
      coefficients_(kCoefficients * channels_ +
                    static_cast<std::size_t>(max_images - 1) * coefficient_stride_) {}

NormCoefficients Normalizer::coefficients(int image) {
  float* next = coefficients_.data() + static_cast<std::size_t>(image) * coefficient_stride_;
  const auto take = [&] { return std::exchange(next, next + channels_); };
  return {.mean = take(),
          .inverse_deviation = take(),
          .factor = take(),
          .offset = take(),
          .diff_factor = take(),
          .diff_slope = take(),
          .diff_offset = take()};
}

float Normalizer::inverse_deviation(double variance) {
  return static_cast<float>(1 / std::sqrt(variance + kEpsilon));
}

void Normalizer::set_factors(int image, const ForwardPass& pass) {
  const NormCoefficients mine = coefficients(image);
  for (std::size_t c = 0; c < channels_; ++c) {
    mine.factor[c] = pass.parameters[tensors_.scale.offset + c] * mine.inverse_deviation[c];
    mine.offset[c] = pass.parameters[tensors_.shift.offset + c] - mine.mean[c] * mine.factor[c];
  }
}

void Normalizer::add_sample_sums(const BackwardPass& pass) {
  if (pass.samples == nullptr) return;
  const SampleSums& wanted = *pass.samples;
  for (int image = 0; image < pass.images; ++image) {
    const NormCoefficients its = coefficients(image);
    const double *const sum_dy = sums(image), *const sum_centered = second_sums(image);
    const auto add_up = [&](const auto& terms) {
      double total = 0;
      for (std::size_t c = 0; c < channels_; ++c)
        total += terms(c, sum_centered[c] * double{its.inverse_deviation[c]}, sum_dy[c]);
      return total;
    };
    const auto index = static_cast<std::size_t>(image);
    if (!wanted.squared_norms.empty())
      wanted.squared_norms[index] += add_up([](std::size_t, double diff_scale, double diff_shift) {
        return diff_scale * diff_scale + diff_shift * diff_shift;
      });
    if (!wanted.inner_products.empty())
      wanted.inner_products[index] +=
          add_up([&](std::size_t c, double diff_scale, double diff_shift) {
            return diff_scale * double{wanted.direction[tensors_.scale.offset + c]} +
                   diff_shift * double{wanted.direction[tensors_.shift.offset + c]};
          });
  }
}

void Normalizer::add_to_gradient(const BackwardPass& pass, std::size_t channel, double diff_scale,
                                 double diff_shift) const {
  if (pass.gradient.empty()) return;
  float& scale = pass.gradient[tensors_.scale.offset + channel];
  float& shift = pass.gradient[tensors_.shift.offset + channel];
  scale = (pass.adds() ? scale : 0) + static_cast<float>(diff_scale);
  shift = (pass.adds() ? shift : 0) + static_cast<float>(diff_shift);
}

namespace {

class BatchNormalizer final : public Normalizer {
 public:
  BatchNormalizer(const ImageShape& shape, int max_images, const NormalizationTensors& tensors)
      : Normalizer(shape, Coefficients::kOfAllImages, max_images, tensors) {}

  bool observes(const ForwardPass& pass) const override {
    return pass.batch_norm == BatchNormMoments::kMicroBatch;
  }

  void forward(Team&, const ForwardPass& pass) override {
    if (pass.batch_norm == BatchNormMoments::kMicroBatch)
      use_micro_batch_moments(pass);
    else
      use_running_moments(pass);
    set_factors(0, pass);
  }

  void backward(Team&, const BackwardPass& pass) override {
    add_sample_sums(pass);
    add_up_images(pass.images);
    // With x^ = (x - mean) inverse_deviation and N values per channel,
    // dx = scale inverse_deviation (dy - mean(dy) - x^ mean(dy x^)). The two means are there
    // because mean and deviation depend on x.
    const double count = static_cast<double>(pixels_) * pass.images;
    const double *const sum_dy = sums(0), *const sum_dy_centered = second_sums(0);
    const NormCoefficients all = coefficients(0);
    for (std::size_t c = 0; c < channels_; ++c) {
      const double inverse = all.inverse_deviation[c];
      const double factor = pass.parameters[tensors_.scale.offset + c] * inverse;
      add_to_gradient(pass, c, sum_dy_centered[c] * inverse, sum_dy[c]);
      const double slope = -factor * inverse * inverse * sum_dy_centered[c] / count;
      const double offset = -factor * sum_dy[c] / count;
      all.diff_factor[c] = static_cast<float>(factor);
      all.diff_slope[c] = static_cast<float>(slope);
      all.diff_offset[c] = static_cast<float>(offset);
    }
  }

 private:
  /// The sums of all images into the place of the first, in their order.
  void add_up_images(int images) {
    double* const all = sums(0);
    for (int image = 1; image < images; ++image) {
      const double* const mine = sums(image);
      for (std::size_t i = 0; i < 2 * channels_; ++i) all[i] += mine[i];
    }
  }

  void use_micro_batch_moments(const ForwardPass& pass) {
    add_up_images(pass.images);
    const double count = static_cast<double>(pixels_) * pass.images;
    const NormCoefficients all = coefficients(0);
    for (std::size_t c = 0; c < channels_; ++c) {
      const double mean = sums(0)[c] / count;
      const double variance = std::max(0.0, second_sums(0)[c] / count - mean * mean);
      all.mean[c] = static_cast<float>(mean);
      all.inverse_deviation[c] = inverse_deviation(variance);
      const double unbiased = count > 1 ? variance * count / (count - 1) : variance;
      const auto move = [&](const TensorView& running, double now) {
        float& value = pass.running_moments[running.offset + c];
        const double momentum = pass.running_momentum;
        value = static_cast<float>((1 - momentum) * value + momentum * now);
      };
      if (pass.running_momentum == 0) continue;
      move(tensors_.running_mean, mean);
      move(tensors_.running_variance, unbiased);
    }
  }

  void use_running_moments(const ForwardPass& pass) {
    const NormCoefficients all = coefficients(0);
    for (std::size_t c = 0; c < channels_; ++c) {
      all.mean[c] = pass.running_moments[tensors_.running_mean.offset + c];
      const double variance = pass.running_moments[tensors_.running_variance.offset + c];
      all.inverse_deviation[c] = inverse_deviation(variance);
    }
  }
};

}  // namespace

std::unique_ptr<Normalizer> make_batch_normalizer(const ImageShape& shape, int max_images,
                                                  const NormalizationTensors& tensors) {
  return std::make_unique<BatchNormalizer>(shape, max_images, tensors);
}

namespace {

/// Images know nothing of each other, so the threads share them. Only the gradient is a sum over
/// all.
class GroupNormalizer final : public Normalizer {
 public:
  GroupNormalizer(const ImageShape& shape, int groups, int max_images,
                  const NormalizationTensors& tensors)
      : Normalizer(shape, Coefficients::kOfEveryImage, max_images, tensors),
        group_channels_(channels_ / static_cast<std::size_t>(groups)),
        group_values_(static_cast<double>(group_channels_ * pixels_)) {}

  bool observes(const ForwardPass&) const override { return true; }

  void forward(Team& team, const ForwardPass& pass) override {
    team.for_each(pass.images, Phase::kElementwise, [&](int image, Thread&) {
      for (std::size_t first = 0; first < channels_; first += group_channels_)
        find_moments(image, first);
      set_factors(image, pass);
    });
  }

  void backward(Team& team, const BackwardPass& pass) override {
    team.for_each(pass.images, Phase::kElementwise, [&](int image, Thread&) {
      for (std::size_t first = 0; first < channels_; first += group_channels_)
        find_diff_coefficients(image, first, pass);
    });
    add_sample_sums(pass);
    for (std::size_t c = 0; c < channels_ && !pass.gradient.empty(); ++c) {
      double diff_scale = 0, diff_shift = 0;
      for (int image = 0; image < pass.images; ++image) {
        diff_scale += second_sums(image)[c] * double{coefficients(image).inverse_deviation[c]};
        diff_shift += sums(image)[c];
      }
      add_to_gradient(pass, c, diff_scale, diff_shift);
    }
  }

 private:
  /// The sum over the group that begins at channel `first`; so for the functions below.
  void find_moments(int image, std::size_t first) {
    double sum = 0, sum_of_squares = 0;
    for (std::size_t c = first; c < first + group_channels_; ++c) {
      sum += sums(image)[c];
      sum_of_squares += second_sums(image)[c];
    }
    const double mean = sum / group_values_;
    const double variance = std::max(0.0, sum_of_squares / group_values_ - mean * mean);
    const NormCoefficients its = coefficients(image);
    std::fill_n(its.mean + first, group_channels_, static_cast<float>(mean));
    std::fill_n(its.inverse_deviation + first, group_channels_, inverse_deviation(variance));
  }

  /// With x^ = (x - mean) inverse_deviation and means over the group,
  /// dx = inverse_deviation (scale dy - mean(scale dy) - x^ mean(scale dy x^)).
  void find_diff_coefficients(int image, std::size_t first, const BackwardPass& pass) {
    const NormCoefficients its = coefficients(image);
    const auto scale = pass.parameters.subspan(tensors_.scale.offset, channels_);
    const double inverse = its.inverse_deviation[first];
    double sum = 0, sum_centered = 0;
    for (std::size_t c = first; c < first + group_channels_; ++c) {
      sum += double{scale[c]} * sums(image)[c];
      sum_centered += double{scale[c]} * second_sums(image)[c];
    }
    const double slope = -inverse * inverse * inverse * sum_centered / group_values_;
    const double offset = -inverse * sum / group_values_;
    for (std::size_t c = first; c < first + group_channels_; ++c)
      its.diff_factor[c] = static_cast<float>(double{scale[c]} * inverse);
    std::fill_n(its.diff_slope + first, group_channels_, static_cast<float>(slope));
    std::fill_n(its.diff_offset + first, group_channels_, static_cast<float>(offset));
  }

  std::size_t group_channels_;
  double group_values_;  ///< channels times pixels
};

}  // namespace

std::unique_ptr<Normalizer> make_group_normalizer(const ImageShape& shape, int groups,
                                                  int max_images,
                                                  const NormalizationTensors& tensors) {
  return std::make_unique<GroupNormalizer>(shape, groups, max_images, tensors);
}

}  // namespace localbatch
