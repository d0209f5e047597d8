#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace localbatch {

/// One training sample that a worker is to see: which one, and in which epoch.
struct Draw {
  std::uint32_t epoch = 0;
  std::uint32_t sample = 0;  ///< index in the training set
};

/// Deals the training set to the workers. The permutations of all epochs, each keyed by (seed,
/// epoch), are laid end to end, and position s of that sequence belongs to worker s mod
/// num_workers. So every index is visited exactly once per epoch, also where num_workers does not
/// divide the set, and what a worker draws is a function of how many samples it has drawn, never of
/// batch sizes. A worker with a share of its own draws from that alone in the same way, with
/// permutations and epochs of its own.
class Sampler {
 public:
  Sampler(std::uint32_t dataset_size, int worker, int num_workers, std::uint64_t seed);
  /// Draws from `share`, which must not be empty and stay where it is.
  Sampler(std::span<const std::uint32_t> share, int worker, std::uint64_t seed);

  void draw(std::span<Draw> draws);

  /// Lets all draws be those that come so much later: data of its own for a branch of a run.
  void pass_over(std::int64_t samples) { passed_over_ = samples; }

  /// The number of samples drawn so far: the whole state.
  std::int64_t drawn() const { return drawn_; }
  void restore(std::int64_t drawn) { drawn_ = drawn; }

 private:
  std::uint32_t dataset_size_;
  std::int64_t worker_;
  std::int64_t num_workers_;
  std::uint64_t seed_;
  /// Which permutations are drawn from: 0, or worker + 1 for a share of its own.
  std::uint32_t stream_ = 0;
  std::optional<std::span<const std::uint32_t>> share_;  ///< none: the whole set
  std::int64_t drawn_ = 0, passed_over_ = 0;
  std::int64_t epoch_ = -1;           ///< epoch of the permutation in `order_`, -1: none yet
  std::vector<std::uint32_t> order_;  ///< a cache, rebuilt from (seed, epoch)
};

}  // namespace localbatch
