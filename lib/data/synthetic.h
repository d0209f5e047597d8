#pragma once

#include <cstdint>

#include "data/resident_images.h"

namespace localbatch {

struct SyntheticSettings {
  std::uint32_t train_samples = 10000;
  std::uint32_t test_samples = 2000;
  int noise = 40;  ///< half the width of the uniform noise of a pixel, in bytes
  std::uint64_t generator_seed = 1;
};

/// Generates colour images of 32 x 32 pixels. A class is a texture, a grating: its angle is c mod 5
/// times 22.5 degrees and its wavelength 3.6 pixels for c < 5, 6 pixels for the other classes c. It
/// shows in a soft-edged patch at a random place, with random phase, colour and contrast, on a
/// random plane of colour under noise. An angle is leaned to the left or to the right at random, so
/// mirroring an image keeps its class.
///
/// Random phases make the mean image of all classes the same, so that nothing linear in the pixels
/// can tell the classes apart, while the energy of a small filter does: a few convolutions suffice.
///
/// Image i is a function of (generator_seed, train or test, i) in integer arithmetic, hence the
/// same bytes on every machine; its class is i mod 10. A larger set begins with the smaller one.
ResidentImages generate_synthetic(const SyntheticSettings& settings,
                                  const Augmentation& augmentation = {});

DatasetFactory make_synthetic(Options& options);

}  // namespace localbatch
