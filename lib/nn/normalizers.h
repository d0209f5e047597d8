#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "nn/image_model.h"
#include "nn/layer.h"

namespace localbatch {

struct NormalizationTensors {
  TensorView scale, shift;
  TensorView running_mean = {}, running_variance = {};  ///< only for batch norm
};

/// The coefficients that normalize the pixels of one image: arrays by channel.
struct NormCoefficients {
  float *mean, *inverse_deviation;
  float *factor, *offset;                         ///< y = factor x + offset
  float *diff_factor, *diff_slope, *diff_offset;  ///< for combine_diff
};

/// The part of a normalization that sees no pixels: from sums over the pixels of each image to
/// coefficients, and to the gradients of scale and shift. The layer fills the sums and uses the
/// coefficients.
class Normalizer {
 public:
  virtual ~Normalizer() = default;

  std::size_t bytes() const {
    return sums_.size() * sizeof(double) + coefficients_.size() * sizeof(float);
  }

  /// Sums by channel: before `forward` of x and of x^2, before `backward` of dy and of
  /// dy (x - mean). Both functions overwrite them.
  double* sums(int image) { return sums_.data() + static_cast<std::size_t>(image) * 2 * channels_; }
  double* second_sums(int image) { return sums(image) + channels_; }

  NormCoefficients coefficients(int image);

  /// Whether this pass needs the sums of x.
  virtual bool observes(const ForwardPass& pass) const = 0;

  /// Turns the sums into mean, inverse deviation, factor and offset.
  virtual void forward(Team& team, const ForwardPass& pass) = 0;

  /// Turns the sums into the coefficients of the diff, the gradient if there is one, and the sums
  /// of each image if they are wanted.
  virtual void backward(Team& team, const BackwardPass& pass) = 0;

 protected:
  enum class Coefficients { kOfEveryImage, kOfAllImages };

  Normalizer(const ImageShape& shape, Coefficients coefficients, int max_images,
             NormalizationTensors tensors);

  static float inverse_deviation(double variance);

  /// Factor and offset of an image from its mean and inverse deviation.
  void set_factors(int image, const ForwardPass& pass);

  /// Adds |g_i|^2 and <g_i, direction> of this layer's parameters.
  void add_sample_sums(const BackwardPass& pass);

  void add_to_gradient(const BackwardPass& pass, std::size_t channel, double diff_scale,
                       double diff_shift) const;

  NormalizationTensors tensors_;
  std::size_t channels_, pixels_;

 private:
  std::size_t coefficient_stride_;   ///< from one image's to the next one's
  std::vector<double> sums_;         ///< [image][2][channel]
  std::vector<float> coefficients_;  ///< [image, or one for all][coefficient][channel]
};

/// Ioffe and Szegedy 2015 with PyTorch's conventions: epsilon 1e-5, running moments with
/// momentum 0.1 and the unbiased variance. In training, mean and variance are those of the whole
/// micro-batch.
std::unique_ptr<Normalizer> make_batch_normalizer(const ImageShape& shape, int max_images,
                                                  const NormalizationTensors& tensors);

/// Wu and He 2018: mean and biased variance over the pixels of a group of neighbouring channels of
/// one image, in training as in evaluation; epsilon 1e-5.
std::unique_ptr<Normalizer> make_group_normalizer(const ImageShape& shape, int groups,
                                                  int max_images,
                                                  const NormalizationTensors& tensors);

}  // namespace localbatch
