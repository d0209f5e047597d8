#pragma once

#include "core/options.h"

namespace localbatch {

/// Random changes of training images. Each data set owns the changes that it can make, and refuses
/// the others when it is made.
struct Augmentation {
  /// Pixels of black (byte 0, so -mean/stddev after normalization) put on every side before a crop
  /// of the old size is taken at random: RandomCrop(size, padding) of torchvision, which works on
  /// bytes and therefore pads before it normalizes. For images in memory.
  int pad_crop = 0;
  bool flip = false;  ///< mirror left and right with probability 1/2, after the crop
  /// A random part of an image (data/view.h) instead of the middle that is evaluated. For images in
  /// files, which are cut to one size in any case.
  bool random_resized_crop = false;
};

/// Reads `pad_crop`, `flip` and `random_resized_crop`.
Augmentation read_augmentation(Options& options);

}  // namespace localbatch
