#pragma once

#include <cstdint>
#include <span>

#include "core/options.h"
#include "data/dataset.h"
#include "data/sampler.h"

namespace localbatch {

/// Random changes of training images. The random numbers of an image are keyed by (seed, epoch,
/// sample), so they depend neither on placement nor on batch size; a crop offset is the same with
/// and without flips, and a flip the same with and without crops.
struct Augmentation {
  /// Pixels of black (byte 0, so -mean/stddev after normalization) put on every side before a crop
  /// of the old size is taken at random: RandomCrop(size, padding) of torchvision, which works on
  /// bytes and therefore pads before it normalizes.
  int pad_crop = 0;
  bool flip = false;  ///< mirror left and right with probability 1/2, after the crop
  /// For images in files, which are cut to one size in any case: a random part of an image
  /// (data/view.h) in place of the middle that is evaluated.
  bool random_resized_crop = false;
};

/// Reads `pad_crop`, `flip` and `random_resized_crop`.
Augmentation read_augmentation(Options& options);

/// Throws an InputError for a crop that images in memory, or those in files, do not have.
void check_augmentation(const Augmentation& augmentation, const Dataset& dataset);

/// Writes training image `draw.sample`, augmented and normalized, as [channel][row][column].
void prepare_training_image(const Dataset& dataset, const Augmentation& augmentation,
                            std::uint64_t seed, Draw draw, std::span<float> image);

/// Writes test image `index`, normalized; whether there is one: false for a damaged file that is
/// skipped.
bool prepare_test_image(const Dataset& dataset, std::size_t index, std::span<float> image);

}  // namespace localbatch
