#include "run/memory_forecast.h"

#include <algorithm>
#include <iterator>

#include "experiment/experiment.h"
#include "train/chunk_gradients.h"

namespace localbatch {

namespace {

bool looks_at_gradients(const LocalSgd& method) {
  return method.controller->needs().any() || method.observer_needs.any() ||
         method.learning_rate_coupling.needs_statistics || method.audit.every_rounds > 0;
}

/// Arrays as long as the parameters that a worker keeps to compare gradients.
int statistics_arrays(const Experiment& experiment) {
  const LocalSgd& method = experiment.method;
  if (!looks_at_gradients(method)) return 0;
  const MeterOptions measured = method.meter_options();
  const StatisticsOptions& statistics = measured.statistics;
  const int means = statistics.own_gradients ? 1 : 2;  // a worker's own, and that of all
  int arrays = 0;
  if (method.audit.every_rounds > 0)
    arrays += means + (method.controller->needs().inner_products ? 1 : 0);
  else if (statistics.chunks == Chunks::kSamples)
    arrays += means;
  if (statistics.averages_gradients() && statistics.chunks != Chunks::kSamples)
    arrays += 1 + (statistics.at_first_step ? 1 : 0) + (measured.needs.coordinates ? 1 : 0);
  if (statistics.chunks == Chunks::kMicroBatches) {
    const int micro_batch = experiment.task->micro_batch().value();
    const int micro_batches = (method.initial_local_batch_size + micro_batch - 1) / micro_batch;
    const int kept = std::min(micro_batches, ChunkGradients::kMaxChunks);
    arrays += measured.needs.inner_products ? kept : 1;
  }
  return arrays;
}

/// What a rank keeps beside parameters where these travel as moves or with weights: what is left to
/// send, and what is on its way.
std::size_t moves_to_send(const Experiment& experiment, std::size_t parameters,
                          std::size_t hosted_workers) {
  const LocalSgd& method = experiment.method;
  const std::size_t array = parameters * sizeof(float);
  const std::size_t weighted = method.weights_temperature ? hosted_workers * array : 0;
  if (!method.format.sends_moves()) return weighted;
  if (method.format.sends_all()) return weighted + hosted_workers * 2 * array;
  // The numbers of all workers, which each worker has and the rank that tells them; a worker's own,
  // here and there; and the sums of their mean.
  const std::size_t own = method.format.bytes_sent(parameters);
  const std::size_t all = own * static_cast<std::size_t>(experiment.workers);
  return weighted + all + hosted_workers * (array + all + 2 * own + parameters * sizeof(double));
}

}  // namespace

std::size_t MemoryForecast::total() const {
  std::size_t sum = 0;
  for (const MemoryPart& part : parts) sum += part.bytes;
  return sum;
}

MemoryForecast forecast_memory(const Experiment& experiment, const Task& task, int hosted_workers,
                               int slots, std::size_t average_buffers) {
  const std::size_t worker = static_cast<std::size_t>(hosted_workers) * sizeof(float);
  const TaskFacts facts = task.facts();
  const std::size_t n = facts.parameters;
  // States are so many numbers for each parameter, at most; nothing of the size of the model is
  // made here.
  MemoryForecast forecast;
  forecast.parts = {
      {"parameters", worker * n},
      {"gradient", worker * n},
      {"optimizer state",
       worker * n * experiment.inner_optimizer.make({.size = 1})->state().size()},
      {"batch norm statistics", worker * facts.running_moments},
      {"global parameters and mean", worker * 2 * n},
      {"moves to send", moves_to_send(experiment, n, static_cast<std::size_t>(hosted_workers))},
      // A worker's own point, what it has sent, and the copy that travels.
      {"parameters under way", experiment.method.stream ? worker * 3 * n : 0},
      {"mean over rounds", experiment.averaged_over > 0 ? worker * n : 0},
      {"outer optimizer state", worker * n * experiment.make_outer_optimizer(1)->state().size()},
      {"gradients to compare",
       worker * n * static_cast<std::size_t>(statistics_arrays(experiment))},
      {"buffers of averages", average_buffers}};
  std::ranges::move(task.memory(hosted_workers, slots), std::back_inserter(forecast.parts));
  return forecast;
}

}  // namespace localbatch
