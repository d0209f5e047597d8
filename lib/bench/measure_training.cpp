#include "bench/measure_training.h"

#include <algorithm>

#include "bench/machine_peak.h"
#include "bench/networks.h"
#include "core/random.h"
#include "nn/model.h"
#include "train/worker_state.h"

namespace localbatch {

namespace {

constexpr std::uint64_t kInitialSeed = 1;

/// So small that thousands of steps on the same samples change nothing that costs time.
constexpr double kLearningRate = 1e-5;

void fill(const SamplePlace& place, const SampleShape& shape, RandomStream& random) {
  const auto classes = static_cast<std::uint32_t>(shape.num_classes);
  const auto token = [&] { return static_cast<std::int32_t>(random.below(classes)); };
  if (shape.image() != nullptr) {
    auto* const pixels = reinterpret_cast<float*>(place.input.data());
    std::generate_n(pixels, place.input.size() / sizeof(float), [&] { return random.normal(); });
  } else {
    auto* const tokens = reinterpret_cast<std::int32_t*>(place.input.data());
    std::generate_n(tokens, place.input.size() / sizeof(std::int32_t), token);
  }
  std::ranges::generate(place.targets, token);
}

}  // namespace

TrainingStep::TrainingStep(const Model& model, const ExecutionOptions& execution)
    : network_(model.make_network(execution)),
      clip_norm_(bench_optimizer(model.sample()).clip_norm),
      optimizer_(bench_optimizer(model.sample()).make(layout_of(model.parameter_tensors()))),
      parameters_(model.parameter_count()),
      gradient_(model.parameter_count()),
      running_moments_(model.running_moment_count()),
      samples_(model.sample(), execution.max_samples),
      sample_bytes_(static_cast<std::size_t>(execution.max_samples) *
                    model.sample().input_bytes()) {
  std::vector<float> canonical(parameters_.size());
  model.initialize_parameters(kInitialSeed, canonical);
  network_->from_canonical(canonical, parameters_.span());
  model.initialize_running_moments(running_moments_.span());
  RandomStream random(kInitialSeed, Purpose::kTest);
  for (int i = 0; i < execution.max_samples; ++i)
    fill(samples_.place(static_cast<std::size_t>(i)), model.sample(), random);
}

void TrainingStep::run() {
  const ParallelFor parallel_for = network_->parallel_for();
  network_->load(parameters_.span(), running_moments_.span());
  network_->train(samples_.batch(static_cast<std::size_t>(network_->max_samples())), 1,
                  gradient_.span(), GradientUse::kReplace);
  const Stopwatch::Scope timed(optimizer_watch_);
  take_step(*optimizer_, clip_norm_, parameters_.span(), gradient_.span(), kLearningRate,
            parallel_for);
}

std::size_t TrainingStep::worker_bytes() const {
  return sizeof(float) * (parameters_.size() + gradient_.size() + optimizer_->state().size() +
                          running_moments_.size()) +
         sample_bytes_;
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

/// FLOP of a sample's step: the backward pass does twice what the forward pass does.
double step_flop(std::int64_t multiply_adds) {
  return 3.0 * 2.0 * static_cast<double>(multiply_adds);
}

/// A rate in units of which a sample has so many.
Rate scaled(Rate rate, double units) {
  rate.median *= units;
  rate.best *= units;
  return rate;
}

}  // namespace

std::optional<Rate> TrainingSpeed::images_per_second() const {
  if (!network.reads_images()) return {};
  return samples_per_second;
}

std::optional<Rate> TrainingSpeed::tokens_per_second() const {
  if (network.reads_images()) return {};
  return scaled(samples_per_second, static_cast<double>(network.sample.targets()));
}

std::optional<double> arithmetic_seconds(const Model& model, const ExecutionOptions& execution,
                                         const MachinePeaks& peaks) {
  std::int64_t direct = model.multiply_adds(), winograd = 0;
  for (const LayerKernel& kernel : model.kernels(execution)) {
    if (!kernel.choice.winograd) continue;
    direct -= multiply_adds(kernel.shape, /*winograd=*/false);
    winograd += multiply_adds(kernel.shape, /*winograd=*/true);
  }
  const std::optional<double>& peak = peaks.of(execution.precision);
  if (!peak || !peaks.f32) return {};
  return step_flop(direct) / *peak + step_flop(winograd) / *peaks.f32;
}

TrainingSpeed measure_training(const Model& model, const ExecutionOptions& execution,
                               double seconds, const MachinePeaks& peaks) {
  TrainingSpeed speed;
  speed.network.sample = model.sample();
  speed.execution = execution;

  reset_peak_resident_bytes();
  const std::size_t resident = resident_bytes();
  TrainingStep step(model, execution);
  // Memory that only the construction needed does not count.
  reset_peak_resident_bytes();
  step.run();

  const PhaseSeconds before = step.network().phase_seconds();
  const double optimizer_before = step.optimizer_seconds();
  speed.samples_per_second = measure_rate(seconds, execution.max_samples, [&step] { step.run(); });
  const int steps = speed.samples_per_second.calls;
  speed.phases = phases_of_a_step(before, step.network().phase_seconds(), execution.threads, steps);
  speed.optimizer_milliseconds = 1e3 * (step.optimizer_seconds() - optimizer_before) / steps;
  speed.step_milliseconds = 1e3 * execution.max_samples / speed.samples_per_second.median;

  const double rate = speed.samples_per_second.median;
  if (const std::optional<double>& peak = peaks.of(execution.precision))
    speed.share_of_peak = step_flop(model.multiply_adds()) * rate / *peak;
  if (const std::optional<double> least = arithmetic_seconds(model, execution, peaks))
    speed.share_of_limit = *least * rate;
  const std::size_t network_bytes = model.predicted_bytes(execution);
  if (network_bytes > 0) speed.predicted_bytes = network_bytes + step.worker_bytes();
  speed.measured_bytes = peak_resident_bytes() - std::min(resident, peak_resident_bytes());
  return speed;
}

TrainingSpeed measure_training(const BenchNetwork& network, const ExecutionOptions& execution,
                               double seconds, const MachinePeaks& peaks) {
  TrainingSpeed speed = measure_training(*make_model(network), execution, seconds, peaks);
  speed.network = network;
  return speed;
}

}  // namespace localbatch
