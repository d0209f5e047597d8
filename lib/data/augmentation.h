#pragma once

#include <cstdint>
#include <span>

#include "core/options.h"
#include "data/dataset.h"
#include "data/sampler.h"

namespace localbatch {

/// Random changes of training images. The random numbers of an image are keyed by (seed, epoch,
/// sample), so they depend neither on placement nor on batch size.
struct Augmentation {
  int pad_crop = 0;   ///< pad with zeros (after normalization) on every side, crop at random
  bool flip = false;  ///< mirror left and right with probability 1/2
};

Augmentation read_augmentation(Options& options);

/// Writes one training image, augmented and normalized, as [channel][row][column].
void prepare_training_image(const Dataset& dataset, const Augmentation& augmentation,
                            std::uint64_t seed, Draw draw, std::span<float> image);

/// Writes test image `index`, normalized.
void prepare_test_image(const Dataset& dataset, std::size_t index, std::span<float> image);

}  // namespace localbatch
