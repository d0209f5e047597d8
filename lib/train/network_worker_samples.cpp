#include <algorithm>

#include "core/random.h"
#include "core/vector_math.h"
#include "train/network_worker.h"

namespace localbatch {

std::vector<Draw> NetworkWorker::draws_of(const SampleRequest& request) const {
  std::vector<Draw> draws(static_cast<std::size_t>(request.samples));
  if (!request.audit_round) {
    Sampler ahead = sampler_;
    ahead.draw(draws);
    return draws;
  }
  // Epochs that no training reaches, so that the augmentation is of the audit's own.
  constexpr std::uint32_t kFirstAuditEpoch = 1U << 31;
  const auto round = static_cast<std::uint64_t>(*request.audit_round);
  RandomStream random(setup_.seed, Purpose::kAudit, round, static_cast<std::uint32_t>(worker_));
  const std::span<const std::uint32_t> share =
      setup_.shares.empty() ? std::span<const std::uint32_t>()
                            : setup_.shares[static_cast<std::size_t>(worker_)];
  const std::size_t size = share.empty() ? setup_.dataset.train.size() : share.size();
  for (Draw& draw : draws) {
    const std::uint32_t index = random.below(static_cast<std::uint32_t>(size));
    draw = {.epoch = kFirstAuditEpoch + static_cast<std::uint32_t>(round),
            .sample = share.empty() ? index : share[index]};
  }
  return draws;
}

SampleGradients NetworkWorker::sample_gradients(const SampleRequest& request) {
  if (round_begins_) begin_round();
  const std::vector<Draw> draws = draws_of(request);
  const SlotPool::Lease slot = borrow_slot();
  Network& network = slot->network;
  network.load(parameters_.span(), statistics_.span());
  const auto pass = [&](std::span<float> gradient, const SampleSums& sums) {
    std::size_t first = 0;
    GradientUse use = GradientUse::kReplace;
    for_each_micro_batch(request.samples, [&](int images) {
      const auto count = static_cast<std::size_t>(images);
      const auto part = [&](std::span<double> all) {
        return all.empty() ? all : all.subspan(first, count);
      };
      prepare_images(*slot, std::span(draws).subspan(first, count));
      const Stopwatch::Scope timed(seconds_.statistics);
      network.sample_gradients(slot->images.span().first(count * setup_.dataset.shape.size()),
                               std::span(slot->labels).first(count), setup_.sample_normalization,
                               gradient, use,
                               {.squared_norms = part(sums.squared_norms),
                                .inner_products = part(sums.inner_products),
                                .direction = sums.direction});
      use = GradientUse::kAdd;
      first += count;
    });
  };
  SampleGradients samples;
  samples.squared_norms.resize(draws.size());
  pass(gradient_.span(), {.squared_norms = samples.squared_norms});
  const float share = 1 / static_cast<float>(request.samples);
  for (float& value : gradient_.span()) value *= share;
  samples.mean_squared_norm = squared_norm(gradient_.span());
  if (!request.inner_products) return samples;
  samples.inner_products.resize(draws.size());
  pass({}, {.inner_products = samples.inner_products, .direction = gradient_.span()});
  return samples;
}

}  // namespace localbatch
