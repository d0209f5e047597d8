#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "problems/problem.h"

namespace localbatch {

/// What a binary linear classifier sees of a set of images.
struct BinaryFeatures {
  std::size_t size = 0;       ///< features of a sample, the last of them 1: the bias
  std::vector<float> values;  ///< [sample][feature]
  std::vector<float> signs;   ///< [sample]: 1 for classes below num_classes/2, -1 for the others

  std::size_t samples() const { return signs.size(); }
  std::span<const float> sample(std::size_t index) const {
    return {values.data() + index * size, size};
  }
};

/// Of the first `samples` images (0: of all). Squares of `pool` x `pool` pixels are averaged; from
/// each feature its mean over the samples is subtracted, and all are divided by one number, so that
/// the features' mean variance is 1. Throws InputError when `pool` does not divide the sides of the
/// images, or there are fewer images than asked for.
BinaryFeatures binary_features(const LabelledImages& images, std::size_t samples, int pool);

struct GeneratedFeatures {
  std::size_t samples = 1, features = 1;
  double signal = 1;
  std::uint64_t seed = 1;
};

/// Independent standard normal features and a bias. The sign is 1 with probability
/// 1/(1 + exp(-z)), z = signal/sqrt(features) times the sum of the features: what logistic
/// regression assumes, with classes that overlap.
BinaryFeatures generate_binary_features(const GeneratedFeatures& wanted);

}  // namespace localbatch
