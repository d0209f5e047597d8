#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/shape.h"

namespace localbatch {

/// What one sample of a data set looks like to a network: the agreement that lets either side be
/// exchanged. A sample is an image: its input is f32 [channel][row][column], as the data set's
/// augmentation leaves it, and it has one target, its class from 0.
struct SampleShape {
  ImageShape image;
  int num_classes = 0;

  std::size_t input_bytes() const { return image.size() * sizeof(float); }
  std::size_t targets() const { return 1; }

  friend bool operator==(const SampleShape&, const SampleShape&) = default;
};

/// A view of the samples that a network sees at once, one behind the other. The inputs are typed by
/// the SampleShape and aligned for that type.
struct Batch {
  int samples = 0;
  std::span<const std::byte> inputs;      ///< samples * input_bytes()
  std::span<const std::int32_t> targets;  ///< samples * targets()
};

/// What a batch adds to the evaluation of a model. The counts of several batches add up exactly.
struct Evaluation {
  double loss_sum = 0;       ///< cross entropy in nats, summed over targets
  std::int64_t correct = 0;  ///< targets that the model predicts
  std::int64_t count = 0;    ///< targets
};

}  // namespace localbatch
