#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "problems/problem.h"

namespace localbatch {

/// The features that a binary linear classifier sees of a set of samples.
struct BinaryFeatures {
  std::size_t size = 0;       ///< features of a sample, the last of them 1: the bias
  std::vector<float> values;  ///< [sample][feature]
  std::vector<float> signs;   ///< [sample]: 1 for classes below num_classes/2, -1 for the others

  std::size_t samples() const { return signs.size(); }
  std::span<const float> sample(std::size_t index) const {
    return {values.data() + index * size, size};
  }
};

struct ImageFeatures {
  std::optional<std::size_t> samples = std::nullopt;  ///< the first so many images; none: all
  int pool = 2;                                       ///< pixels a side of a square
};

/// Squares of `pool` x `pool` pixels are averaged; from each feature its mean over the samples is
/// subtracted, and all are divided by one number, so that the features' mean variance is 1. Throws
/// InputError when `pool` does not divide the sides of the images, or there are fewer images than
/// asked for.
BinaryFeatures binary_features(const LabelledImages& images, const ImageFeatures& wanted);

struct GeneratedFeatures {
  std::size_t samples = 10'000;
  std::size_t features = 50;  ///< of a sample, beside its bias
  double signal = 2;          ///< norm of the weights that labels are drawn by
  std::uint64_t seed = 1;
};

/// Independent standard normal features and a bias. The sign is 1 with probability
/// 1/(1 + exp(-z)), z = signal/sqrt(features) times the sum of the features: what logistic
/// regression assumes, with classes that overlap.
BinaryFeatures generate_binary_features(const GeneratedFeatures& wanted);

}  // namespace localbatch
