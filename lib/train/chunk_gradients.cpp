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
  sums_ = {};
}

void ChunkGradients::add(int images, std::span<const float> sum) {
  done_ += 1;
  images_ += images;
  const int chunks = std::min(kMaxChunks, micro_batches_);
  const int next = static_cast<int>(samples_.size()) + 1;
  if (done_ == micro_batches_ * next / chunks) end_chunk(sum);
  if (done_ == micro_batches_) end_step(sum);
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

void ChunkGradients::end_step(std::span<const float> gradient) {
  const double norm = squared_norm(gradient);
  const double deviation_squares = squares_ - local_batch_size_ * norm;
  sums_ = {.groups = 1,
           .chunks = static_cast<double>(samples_.size()),
           .squared_norm = norm,
           .inverse_samples = 1.0 / local_batch_size_,
           // Equal gradients may end just below 0; NaN is to stay.
           .deviation_squares = deviation_squares < 0 ? 0 : deviation_squares};
  if (!inner_products_) return;
  double before = 0;
  for (std::size_t chunk = 0; chunk < samples_.size(); ++chunk) {
    const double after = inner_product(kept_[chunk].span(), gradient);
    const double share = samples_[chunk] / local_batch_size_;
    const double projection = (after - before) / share - norm;
    sums_.inner_product_squares += samples_[chunk] * projection * projection;
    before = after;
  }
  sums_.scaled_inner_product_squares = norm > 0 ? sums_.inner_product_squares / norm : 0;
}

}  // namespace localbatch
