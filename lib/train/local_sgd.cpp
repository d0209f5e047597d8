#include "train/local_sgd.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/vector_math.h"

namespace localbatch {

namespace {

int local_steps(const LocalSgd& method, const Progress& progress, double lr,
                std::int64_t global_batch_size) {
  const std::int64_t remaining = method.max_samples - progress.samples;
  const std::int64_t affordable = (remaining + global_batch_size - 1) / global_batch_size;
  const int H = method.sync_interval({.round = progress.round,
                                      .samples = progress.samples,
                                      .learning_rate = lr,
                                      .first_loss = progress.first_loss,
                                      .last_loss = progress.last_loss});
  return static_cast<int>(std::min<std::int64_t>(H, affordable));
}

/// Replaces loss and drift, so far this worker's own, by their means over the workers.
void average_over_workers(RoundRecord& round, Communicator& comm) {
  std::array<double, 2> sums{round.loss, round.drift};
  comm.sum(sums);
  round.loss = sums[0] / comm.num_workers();
  round.drift = sums[1] / comm.num_workers();
}

/// What the controller makes of the round; without a test there is a reason all the same.
Wish wish(const LocalSgd& method, const RoundRecord& round) {
  if (method.controller->needs_statistics() && !round.statistics)
    return {.reason = Reason::kNotDue};
  return method.controller->wish({.local_batch_size = round.local_batch_size,
                                  .initial_local_batch_size = method.initial_local_batch_size,
                                  .samples = round.samples,
                                  .learning_rate = round.learning_rate,
                                  .loss = round.loss},
                                 round.statistics.value_or(GradientStatistics{}));
}

}  // namespace

Outcome local_sgd(const LocalSgd& method, Worker& worker, OuterOptimizer& outer_optimizer,
                  Communicator& comm, Progress& progress, const RoundObserver& observe) {
  const int M = comm.num_workers();
  const std::span<float> x = worker.parameters();
  const bool at_first_step = method.statistics.at_first_step;
  std::vector<float> x_global(x.begin(), x.end()), mean(x.size());
  std::vector<float> g_first(at_first_step ? x.size() : 0);

  while (progress.samples < method.max_samples) {
    const int b = progress.local_batch_size;
    const double coupling =
        method.learning_rate_coupling(static_cast<double>(b) / method.initial_local_batch_size);
    const auto lr = [&](int h) {
      return coupling *
             method.learning_rate(progress.samples + std::int64_t{M} * b * h, method.max_samples);
    };
    const int H = local_steps(method, progress, lr(0), std::int64_t{M} * b);
    const bool test =
        method.controller->needs_statistics() && method.limits.due(progress.round + 1, b);
    RoundRecord round{.round = progress.round + 1,
                      .samples = progress.samples + std::int64_t{M} * b * H,
                      .local_steps = H,
                      .local_batch_size = b,
                      .learning_rate = lr(0)};

    for (int h = 0; h < H; ++h) {
      round.loss += worker.local_step(b, lr(h)) / H;
      if (test && at_first_step && h == 0) std::ranges::copy(worker.gradient(), g_first.begin());
    }

    comm.average(x, mean);
    round.drift = squared_distance(x, mean);
    outer_optimizer.step(x_global, mean, lr(H - 1));
    std::ranges::copy(x_global, x.begin());
    worker.synchronize_state(comm);
    average_over_workers(round, comm);

    const std::span<const float> g = at_first_step ? g_first : worker.gradient();
    if (test) round.statistics = gradient_statistics(g, b, method.statistics, mean, comm);
    round.wish = wish(method, round);
    round.decision = apply_limits(method.limits, b, round.wish);

    progress = {.round = progress.round + 1,
                .samples = round.samples,
                .local_batch_size = round.decision.next,
                .first_loss = progress.round == 0 ? round.loss : progress.first_loss,
                .last_loss = round.loss};
    observe(round);
    if (!std::isfinite(round.loss) || !std::isfinite(round.drift)) return Outcome::kDiverged;
  }
  return Outcome::kFinished;
}

}  // namespace localbatch
