#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace localbatch {

/// The purpose of random numbers. Each purpose is a stream of its own, so adding a consumer never
/// changes the numbers of another one. The values are part of the format of a run: append only.
enum class Purpose : std::uint32_t {
  kInitialization = 1,
  kShuffle = 2,
  kAugmentation = 3,
  kSyntheticTrain = 4,
  kSyntheticTest = 5,
  kPartition = 6,
  kProblemNoise = 7,
  kProblemSamples = 8,
  kProblemData = 9,
  kAudit = 10,
  kBatchNorm = 11,
  kTokenWindows = 12,
  kMarkovText = 13,
  kGeneratedText = 14,
  kValidation = 15,
  kTest = 1000,
};

/// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random
/// numbers: as easy as 1, 2, 3" (SC'11): four 32-bit words as a pure function of counter and key.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key);

/// A stream of numbers that is a function of (seed, purpose, a, b) alone, where a and b say whose
/// numbers these are: an epoch and a sample, a tensor and nothing. Any stream can be opened at any
/// time in any order.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, Purpose purpose, std::uint64_t a = 0, std::uint32_t b = 0);

  std::uint32_t next_u32();
  /// Uniform in {0, ..., bound - 1}, without bias; bound >= 1.
  std::uint32_t below(std::uint32_t bound);
  /// Uniform in [0, 1) with 24 random bits.
  float uniform();
  /// Standard normal (Box and Muller 1958).
  float normal();

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;  ///< words of `block_` already handed out
};

/// A permutation of 0 .. size - 1 (Fisher and Yates), a function of the stream alone.
std::vector<std::uint32_t> random_permutation(std::uint32_t size, RandomStream stream);

}  // namespace localbatch
