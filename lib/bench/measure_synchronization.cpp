#include "bench/measure_synchronization.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "bench/rate.h"
#include "comm/workers.h"
#include "core/aligned_buffer.h"
#include "core/stopwatch.h"

namespace localbatch {

namespace {

constexpr std::size_t kFewestAverages = 3;

/// Averages until worker 0 ends it, and returns the seconds that each average took.
std::vector<double> time_averages(std::size_t parameters, Payload payload, double seconds,
                                  Communicator& comm) {
  AlignedBuffer<float> mine(parameters), mean(parameters);
  for (std::size_t i = 0; i < parameters; ++i)
    mine.span()[i] = std::sin(static_cast<float>(i + static_cast<std::size_t>(comm.worker())));
  round_to_nearest(mine.span(), payload);
  const std::array<Averaged, 1> averaged{
      {{.mine = mine.span(), .mean = mean.span(), .payload = payload}}};
  comm.exchange({.averaged = averaged});

  std::vector<double> times;
  const double started = monotonic_seconds();
  while (true) {
    const bool go_on = times.size() < kFewestAverages || monotonic_seconds() - started < seconds;
    // This sum also lets the workers start together.
    std::array<double, 1> votes{comm.worker() == 0 && go_on ? 1.0 : 0.0};
    comm.sum(votes, Traffic::kControl);
    if (votes[0] == 0) return times;
    const double begin = monotonic_seconds();
    comm.exchange({.averaged = averaged});
    times.push_back(monotonic_seconds() - begin);
  }
}

}  // namespace

std::vector<double> measure_averages(std::size_t numbers, int workers, double seconds,
                                     ProcessGroup& processes, Payload payload) {
  std::vector<double> times;
  run_workers(workers, processes, [&](Communicator& comm) {
    std::vector<double> of_worker = time_averages(numbers, payload, seconds, comm);
    if (comm.worker() == 0) times = std::move(of_worker);
  });
  return times;
}

SynchronizationSpeed measure_synchronization(const BenchNetwork& network, Payload payload,
                                             int workers, double seconds, ProcessGroup& processes) {
  SynchronizationSpeed speed;
  speed.network = network;
  speed.parameters = make_model(network)->parameter_count();
  speed.payload = payload;
  speed.workers = workers;
  speed.ranks = processes.num_ranks();
  std::vector<double> times =
      measure_averages(speed.parameters, workers, seconds, processes, payload);
  if (times.empty()) return speed;
  speed.averages = static_cast<int>(times.size());
  speed.best_seconds = std::ranges::min(times);
  speed.median_seconds = median(std::move(times));
  speed.bytes_per_second =
      static_cast<double>(sizeof(float) * speed.parameters) / speed.median_seconds;
  return speed;
}

}  // namespace localbatch
