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

/// Numbers that a worker keeps to compare gradients.
std::size_t statistics_floats(const Experiment& experiment, std::size_t parameters) {
  const LocalSgd& method = experiment.method;
  if (!looks_at_gradients(method)) return 0;
  const MeterOptions measured = method.meter_options();
  switch (measured.statistics.chunks) {
    case Chunks::kWorkers:
      return parameters * (1U + (measured.statistics.at_first_step ? 1U : 0U) +
                           (measured.needs.coordinates ? 1U : 0U));
    case Chunks::kMicroBatches: {
      const int micro_batch = experiment.task->micro_batch().value();
      const int micro_batches = (method.initial_local_batch_size + micro_batch - 1) / micro_batch;
      const int kept = std::min(micro_batches, ChunkGradients::kMaxChunks);
      return parameters * static_cast<std::size_t>(measured.needs.inner_products ? kept : 1);
    }
    case Chunks::kSamples:
    case Chunks::kDelta:
      return 0;
  }
  return 0;
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
  // States are so many numbers for each parameter; nothing of the size of the model is made here.
  MemoryForecast forecast;
  forecast.parts = {
      {"parameters", worker * n},
      {"gradient", worker * n},
      {"optimizer state", worker * n * experiment.inner_optimizer.make(1)->state().size()},
      {"batch norm statistics", worker * facts.running_moments},
      {"global parameters and mean", worker * 2 * n},
      {"outer optimizer state", worker * n * experiment.make_outer_optimizer(1)->state().size()},
      {"gradients to compare", worker * statistics_floats(experiment, n)},
      {"buffers of averages", average_buffers}};
  std::ranges::move(task.memory(hosted_workers, slots), std::back_inserter(forecast.parts));
  return forecast;
}

}  // namespace localbatch
