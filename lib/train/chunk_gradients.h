#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/aligned_buffer.h"
#include "train/estimator.h"

namespace localbatch {

/// Listens to a local step that adds up its gradient micro-batch by micro-batch, and tells what its
/// chunks scatter around their mean. A chunk's gradient is the difference of the sum before and
/// after it, so listening does not change a bit of the step.
///
/// A step has at most kMaxChunks chunks, stretches of micro-batches of nearly equal number. For
/// inner products the sums after all chunks are kept, otherwise only the last one.
class ChunkGradients {
 public:
  static constexpr int kMaxChunks = 16;

  explicit ChunkGradients(bool inner_products) : inner_products_(inner_products) {}

  void begin(int local_batch_size, int micro_batches);

  /// A micro-batch of `images` was added: `sum` is the sum over the micro-batches so far of their
  /// mean gradients, each times its share of the local batch.
  void add(int images, std::span<const float> sum);

  /// Of the step that has ended with all its micro-batches: one group, with norm and direction of
  /// its own mean gradient, or its share of those with the mean over so many workers.
  GroupSums sums() const;
  GroupSums sums(std::span<const float> mean_over_workers, int workers) const;

 private:
  void end_chunk(std::span<const float> sum);
  std::span<const float> gradient() const {
    return kept_[inner_products_ ? samples_.size() - 1 : 0].span();
  }
  GroupSums sums(std::span<const float> direction, int workers, double norm,
                 double own_product) const;

  bool inner_products_;
  int local_batch_size_ = 0, micro_batches_ = 0;
  int done_ = 0, images_ = 0;               ///< micro-batches of the step, images of the chunk
  std::vector<AlignedBuffer<float>> kept_;  ///< sums after chunks
  std::vector<double> samples_;             ///< by chunk
  double squares_ = 0;                      ///< sum of n_j |g_j|^2
};

}  // namespace localbatch
