#include "train/local_sgd.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/vector_math.h"
#include "train/parameter_average.h"
#include "train/round_numbers.h"
#include "train/round_statistics.h"

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

double coupling(const LocalSgd& method, const Progress& progress, int num_workers) {
  const double initial = method.initial_local_batch_size;
  return method.learning_rate_coupling(
      {.growth = progress.local_batch_size / initial,
       .initial_variance = progress.variance / (num_workers * initial),
       .squared_norm = progress.squared_norm});
}

}  // namespace

Outcome local_sgd(const LocalSgd& method, Worker& worker, OuterOptimizer& outer_optimizer,
                  Communicator& comm, Progress& progress, const RoundObserver& observe,
                  const std::function<Interruption()>& interruption) {
  const int M = comm.num_workers();
  const std::span<float> x = worker.parameters();
  std::vector<float> x_global(x.begin(), x.end()), mean(x.size());
  if (method.payload != Payload::kFloat32) progress.residual.resize(x.size());
  ParameterAverage parameters(method.payload, progress.residual);
  GradientMeter meter(measurement(method), comm);

  while (progress.samples < method.max_samples) {
    const int b = progress.local_batch_size;
    const double factor = coupling(method, progress, M);
    const auto lr = [&](int h) {
      return factor *
             method.learning_rate(progress.samples + std::int64_t{M} * b * h, method.max_samples);
    };
    const int H = local_steps(method, progress, lr(0), std::int64_t{M} * b);
    RoundRecord round{.round = progress.round + 1,
                      .samples = progress.samples + std::int64_t{M} * b * H,
                      .local_steps = H,
                      .local_batch_size = b,
                      .learning_rate = lr(0)};

    const bool measure = looks_at_statistics(method, round.round, b, /*anybody=*/true);
    meter.begin_round(round.round, measure, b, H, progress.carry);
    double loss = 0;
    for (int h = 0; h < H; ++h) {
      const double rate = lr(h);
      meter.before_step(worker, h, rate);
      loss += worker.local_step(b, rate, meter.listener()) / H;
      meter.after_step(worker);
    }

    std::vector<Averaged> averaged{parameters.begin(x, x_global, mean)};
    worker.add_averaged_state(averaged);
    meter.add_averaged(worker, averaged);
    comm.exchange({.averaged = averaged});
    parameters.finish(x_global, mean);

    const RoundNumbers mine{.loss = loss,
                            .drift = squared_distance(x, mean),
                            .residual = parameters.squared_residual(),
                            .gradients = meter.own_sums(x, mean, x_global),
                            .interruption = interruption()};
    outer_optimizer.step(x_global, mean, lr(H - 1));
    std::ranges::copy(x_global, x.begin());
    worker.finish_synchronization();
    const RoundNumbers all = combine(mine, worker, comm);
    round.loss = all.loss;
    round.drift = all.drift;
    if (method.payload != Payload::kFloat32) round.residual = all.residual;
    const bool has_diverged = !std::isfinite(round.loss) || !std::isfinite(round.drift);
    // From such a checkpoint a run would go on behind its end.
    round.is_to_be_saved = all.interruption.save && !has_diverged;

    read_meter(method, meter, all.gradients, progress, round);
    round.wanted =
        wanted_of(*method.controller, round, method.initial_local_batch_size, round.statistics);
    round.decision = apply_limits(method.limits, b, round.wanted);

    if (progress.round == 0) progress.first_loss = round.loss;
    progress.last_loss = round.loss;
    progress.round = round.round;
    progress.samples = round.samples;
    progress.local_batch_size = round.decision.next;
    observe(round);
    if (has_diverged) return Outcome::kDiverged;
    if (all.interruption.stop) return Outcome::kStopped;
  }
  return Outcome::kFinished;
}

}  // namespace localbatch
