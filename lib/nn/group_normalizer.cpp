#include <algorithm>

#include "nn/normalizer.h"

namespace localbatch {

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
  /// Of the group that begins at channel `first`, here and below.
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
