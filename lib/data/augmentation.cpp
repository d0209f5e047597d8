#include "data/augmentation.h"

namespace localbatch {

Augmentation read_augmentation(Options& options) {
  Augmentation augmentation;
  augmentation.pad_crop = static_cast<int>(options.integer(
      "pad_crop",
      {.fallback = 0,
       .min = 0,
       .max = 16,
       .meaning = "pixels of black added on every side of a training image before it is "
                  "cropped to its old size at a random place; 0 turns cropping off"}));
  augmentation.flip = options.flag(
      "flip",
      {.fallback = false,
       .meaning = "whether training images are mirrored left and right with probability 1/2"});
  augmentation.random_resized_crop = options.flag(
      "random_resized_crop",
      {.fallback = false,
       .meaning = "for images in files (imagenet): whether a random part of a training image is "
                  "seen, 0.08 to 1 of its area and 3/4 to 4/3 as wide as high; without it the "
                  "middle, as in evaluations"});
  return augmentation;
}

}  // namespace localbatch
