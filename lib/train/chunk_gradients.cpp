#include "train/chunk_gradients.h"

#include <algorithm>

#include "core/vector_math.h"

namespace localbatch {

void ChunkGradients::begin(int local_batch_size, int micro_batches) {
  local_batch_size_ = local_batch_size;
  micro_batches_ = micro_batches;
  done_ = images_ = 0;
  samples_.clear();
  squares_ = 0;
}

void ChunkGradients::add(int images, std::span<const float> sum) {
  done_ += 1;
  images_ += images;
  const int chunks = std::min(kMaxChunks, micro_batches_);
  const int next = static_cast<int>(samples_.size()) + 1;
  if (done_ == micro_batches_ * next / chunks) end_chunk(sum);
}

void ChunkGradients::end_chunk(std::span<const float> sum) {
  const std::size_t chunk = samples_.size();
  const double samples = images_;
  const double share = samples / local_batch_size_;
  const std::size_t place = inner_products_ ? chunk : 0;
  const std::span<const float> before =
      chunk == 0 ? std::span<const float>() : kept_[inner_products_ ? chunk - 1 : 0].span();
  const double square = chunk == 0 ? squared_norm(sum) : squared_distance(sum, before);
  squares_ += samples * square / (share * share);
  if (kept_.size() <= place) kept_.emplace_back(sum.size());
  std::ranges::copy(sum, kept_[place].data());
  samples_.push_back(samples);
  images_ = 0;
}

GroupSums ChunkGradients::sums() const {
  const double norm = squared_norm(gradient());
  return sums(gradient(), 1, norm, norm);
}

GroupSums ChunkGradients::sums(std::span<const float> mean_over_workers, int workers) const {
  return sums(mean_over_workers, workers, squared_norm(mean_over_workers),
              inner_product(gradient(), mean_over_workers));
}

GroupSums ChunkGradients::sums(std::span<const float> direction, int workers, double norm,
                               double own_product) const {
  const double deviation_squares = squares_ - local_batch_size_ * squared_norm(gradient());
  const double share_of_norm = 1.0 / workers;
  GroupSums sums{.groups = 1,
                 .chunks = static_cast<double>(samples_.size()),
                 .squared_norm = norm * share_of_norm,
                 .inverse_samples = share_of_norm * share_of_norm / local_batch_size_,
                 // Equal gradients may end just below 0; NaN is to stay.
                 .deviation_squares = deviation_squares < 0 ? 0 : deviation_squares};
  if (!inner_products_) return sums;
  double before = 0;
  for (std::size_t chunk = 0; chunk < samples_.size(); ++chunk) {
    const double after = inner_product(kept_[chunk].span(), direction);
    const double share = samples_[chunk] / local_batch_size_;
    const double projection = (after - before) / share - own_product;
    sums.inner_product_squares += samples_[chunk] * projection * projection;
    before = after;
  }
  sums.scaled_inner_product_squares = norm > 0 ? sums.inner_product_squares / norm : 0;
  return sums;
}

}  // namespace localbatch
