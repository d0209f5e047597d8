#include <algorithm>

#include "nn/normalizer.h"

namespace localbatch {

namespace {

class BatchNormalizer final : public Normalizer {
 public:
  BatchNormalizer(const ImageShape& shape, int max_images, const NormalizationTensors& tensors)
      : Normalizer(shape, Coefficients::kOfAllImages, max_images, tensors) {}

  bool observes(const ForwardPass& pass) const override {
    return pass.batch_norm == NormStatistics::kMicroBatch;
  }

  void forward(Team&, const ForwardPass& pass) override {
    if (pass.batch_norm == NormStatistics::kMicroBatch)
      use_micro_batch_statistics(pass);
    else
      use_running_statistics(pass);
    set_factors(0, pass);
  }

  void backward(Team&, const BackwardPass& pass) override {
    add_sample_sums(pass);
    add_up_images(pass.images);
    // With x^ = (x - mean) inverse_deviation and N values per channel,
    // dx = scale inverse_deviation (dy - mean(dy) - x^ mean(dy x^)). The two means are there
    // because mean and deviation depend on x; where these are constants, they fall away.
    const bool constant = pass.batch_norm == NormStatistics::kRunning;
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
      all.diff_slope[c] = constant ? 0 : static_cast<float>(slope);
      all.diff_offset[c] = constant ? 0 : static_cast<float>(offset);
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

  void use_micro_batch_statistics(const ForwardPass& pass) {
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
        float& value = pass.statistics[running.offset + c];
        const double momentum = pass.running_momentum;
        value = static_cast<float>((1 - momentum) * value + momentum * now);
      };
      if (pass.running_momentum == 0) continue;
      move(tensors_.running_mean, mean);
      move(tensors_.running_variance, unbiased);
    }
  }

  void use_running_statistics(const ForwardPass& pass) {
    const NormCoefficients all = coefficients(0);
    for (std::size_t c = 0; c < channels_; ++c) {
      all.mean[c] = pass.statistics[tensors_.running_mean.offset + c];
      const double variance = pass.statistics[tensors_.running_variance.offset + c];
      all.inverse_deviation[c] = inverse_deviation(variance);
    }
  }
};

}  // namespace

std::unique_ptr<Normalizer> make_batch_normalizer(const ImageShape& shape, int max_images,
                                                  const NormalizationTensors& tensors) {
  return std::make_unique<BatchNormalizer>(shape, max_images, tensors);
}

}  // namespace localbatch
