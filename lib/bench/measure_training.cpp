#include "bench/measure_training.h"

#include <algorithm>

#include "bench/machine_peak.h"
#include "bench/networks.h"
#include "core/random.h"
#include "nn/model.h"

namespace localbatch {

namespace {

constexpr std::uint64_t kSeed = 1;

/// So small that thousands of steps on the same images change nothing that costs time.
constexpr double kLearningRate = 1e-3;

}  // namespace

TrainingStep::TrainingStep(const Model& model, const ExecutionOptions& execution)
    : network_(model, execution),
      optimizer_(bench_optimizer().make(network_.parameter_count())),
      parameters_(network_.parameter_count()),
      gradient_(network_.parameter_count()),
      statistics_(network_.statistics_count()),
      images_(static_cast<std::size_t>(execution.max_images) * model.input().size()),
      labels_(static_cast<std::size_t>(execution.max_images)) {
  std::vector<float> canonical(parameters_.size());
  initialize_parameters(model, kSeed, canonical);
  network_.from_canonical(canonical, parameters_.span());
  initialize_statistics(model, statistics_.span());
  RandomStream random(kSeed, Purpose::kTest);
  for (float& pixel : images_.span()) pixel = random.normal();
  for (Label& label : labels_)
    label = static_cast<Label>(random.below(static_cast<std::uint32_t>(model.num_classes())));
}

void TrainingStep::run() {
  const PieceRunner run_pieces = network_.piece_runner();
  network_.load(parameters_.span(), statistics_.span());
  network_.train_micro_batch(images_.span(), labels_, 1, gradient_.span(), GradientUse::kReplace);
  const Stopwatch::Scope timed(optimizer_watch_);
  optimizer_->step(parameters_.span(), gradient_.span(), kLearningRate, run_pieces);
}

std::size_t TrainingStep::worker_bytes() const {
  return sizeof(float) * (parameters_.size() + gradient_.size() + optimizer_->state().size() +
                          statistics_.size() + images_.size());
}

namespace {

std::optional<PhaseMilliseconds> phases_of_a_step(const PhaseSeconds& before,
                                                  const PhaseSeconds& after, int threads,
                                                  int steps) {
  if (before == after) return {};
  PhaseMilliseconds milliseconds{};
  for (std::size_t phase = 0; phase < milliseconds.size(); ++phase)
    milliseconds[phase] = 1e3 * (after[phase] - before[phase]) / (threads * steps);
  return milliseconds;
}

}  // namespace

TrainingSpeed measure_training(const Model& model, const ExecutionOptions& execution,
                               double seconds, std::optional<double> peak) {
  TrainingSpeed speed;
  speed.execution = execution;

  reset_peak_resident_bytes();
  const std::size_t resident = resident_bytes();
  TrainingStep step(model, execution);
  // What only the construction needed does not count.
  reset_peak_resident_bytes();
  step.run();

  const PhaseSeconds before = step.network().phase_seconds();
  const double optimizer_before = step.optimizer_seconds();
  speed.images_per_second = measure_rate(seconds, execution.max_images, [&step] { step.run(); });
  const int steps = speed.images_per_second.calls;
  speed.phases = phases_of_a_step(before, step.network().phase_seconds(), execution.threads, steps);
  speed.optimizer_milliseconds = 1e3 * (step.optimizer_seconds() - optimizer_before) / steps;
  speed.step_milliseconds = 1e3 * execution.max_images / speed.images_per_second.median;

  if (peak)
    speed.share_of_peak = 3.0 * 2.0 * static_cast<double>(multiply_adds(model)) *
                          speed.images_per_second.median / *peak;
  const std::size_t network_bytes = Network::predicted_bytes(model, execution);
  if (network_bytes > 0) speed.predicted_bytes = network_bytes + step.worker_bytes();
  speed.measured_bytes = peak_resident_bytes() - std::min(resident, peak_resident_bytes());
  return speed;
}

TrainingSpeed measure_training(const BenchNetwork& network, const ExecutionOptions& execution,
                               double seconds, std::optional<double> peak) {
  TrainingSpeed speed = measure_training(make_model(network), execution, seconds, peak);
  speed.network = network;
  return speed;
}

}  // namespace localbatch
