#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/batch.h"
#include "data/dataset.h"

namespace localbatch {

/// Memory for the samples of a batch, one behind the other.
class BatchMemory {
 public:
  BatchMemory(const SampleShape& shape, int max_samples)
      : input_bytes_(shape.input_bytes()),
        num_targets_(shape.targets()),
        inputs_(static_cast<std::size_t>(max_samples) * input_bytes_),
        targets_(static_cast<std::size_t>(max_samples) * num_targets_) {}

  /// Where a sample is written.
  SamplePlace place(std::size_t sample) {
    return {.input = inputs_.span().subspan(sample * input_bytes_, input_bytes_),
            .targets = std::span(targets_).subspan(sample * num_targets_, num_targets_)};
  }

  /// Copies a sample to another place.
  void copy(std::size_t from, std::size_t to) {
    const SamplePlace source = place(from), target = place(to);
    std::ranges::copy(source.input, target.input.begin());
    std::ranges::copy(source.targets, target.targets.begin());
  }

  /// The first samples, as a network sees them.
  Batch batch(std::size_t samples) const {
    return {.samples = static_cast<int>(samples),
            .inputs = inputs_.span().first(samples * input_bytes_),
            .targets = std::span(targets_).first(samples * num_targets_)};
  }

 private:
  std::size_t input_bytes_, num_targets_;
  AlignedBuffer<std::byte> inputs_;
  std::vector<std::int32_t> targets_;
};

}  // namespace localbatch
