#include "data/sampler.h"

#include "core/error.h"
#include "core/random.h"

namespace localbatch {

Sampler::Sampler(std::uint32_t dataset_size, int worker, int num_workers, std::uint64_t seed)
    : dataset_size_(dataset_size), worker_(worker), num_workers_(num_workers), seed_(seed) {
  check(dataset_size > 0, "there is something to sample from");
  check(0 <= worker && worker < num_workers, "a worker is one of num_workers");
}

Sampler::Sampler(std::span<const std::uint32_t> share, int worker, std::uint64_t seed)
    : Sampler(static_cast<std::uint32_t>(share.size()), 0, 1, seed) {
  stream_ = static_cast<std::uint32_t>(worker) + 1;
  share_ = share;
}

void Sampler::draw(std::span<Draw> draws) {
  for (Draw& draw : draws) {
    const std::int64_t position = (passed_over_ + drawn_) * num_workers_ + worker_;
    const std::int64_t epoch = position / dataset_size_;
    if (epoch != epoch_) {
      order_ = random_permutation(
          dataset_size_,
          RandomStream(seed_, Purpose::kShuffle, static_cast<std::uint64_t>(epoch), stream_));
      epoch_ = epoch;
    }
    const std::uint32_t index = order_[static_cast<std::size_t>(position % dataset_size_)];
    draw = {.epoch = static_cast<std::uint32_t>(epoch),
            .sample = share_ ? (*share_)[index] : index};
    ++drawn_;
  }
}

}  // namespace localbatch
