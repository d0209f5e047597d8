#include "nn/normalizer.h"

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

}  // namespace localbatch
