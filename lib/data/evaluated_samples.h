#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace localbatch {

/// The test samples that an evaluation looks at, the same in every one and in every run: all of
/// them, or so many that are spread evenly over the test set. Of equal stretches each gives one, at
/// a place in it that is another one every time (multiples of the golden ratio): at equal distances
/// a test set whose classes take turns would show but one of them.
class EvaluatedSamples {
 public:
  /// `most` is 0 for all.
  EvaluatedSamples(std::size_t test_size, std::int64_t most)
      : test_size_(test_size),
        size_(most > 0 ? std::min(test_size, static_cast<std::size_t>(most)) : test_size) {}

  std::size_t size() const { return size_; }

  /// The index in the test set of sample k < size() of an evaluation. Larger for larger k.
  std::size_t operator[](std::size_t k) const {
    const std::uint64_t begin = begin_of_stretch(k), length = begin_of_stretch(k + 1) - begin;
    constexpr std::uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;  // its fraction, times 2^64
    const std::uint64_t fraction = (k * kGoldenRatio) >> 32;    // in 1/2^32
    return static_cast<std::size_t>(begin + ((fraction * length) >> 32));
  }

 private:
  std::uint64_t begin_of_stretch(std::uint64_t k) const { return k * test_size_ / size_; }

  std::uint64_t test_size_, size_;
};

}  // namespace localbatch
