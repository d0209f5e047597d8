#include "bench/measure_convolutions.h"

#include <algorithm>
#include <functional>

#include "bench/measure_training.h"
#include "bench/rate.h"

namespace localbatch {

ImageModel probe_network(const ModelConvolution& convolution, bool with_layer) {
  const ConvolutionShape& shape = convolution.shape;
  const int image_channels = convolution.reads_input ? shape.src.channels : 3;
  ImageModel model({image_channels, shape.src.height, shape.src.width});
  ValueId x = 0;
  const auto add = [&](const std::string& name, const Convolution& layer) {
    x = model.add(name, layer);
    x = model.add(name + "_norm", Normalization{.src = x, .relu = true});
  };
  if (!convolution.reads_input) add("stem", {.src = x, .channels = shape.src.channels});
  if (with_layer)
    add("layer", {.src = x,
                  .channels = shape.channels,
                  .kernel = shape.kernel,
                  .stride = shape.stride,
                  .padding = shape.padding});
  x = model.add("pool", AveragePool{.src = x});
  model.add("classes", Dense{.src = x, .features = 10});
  return model;
}

namespace {

/// Median over steps of each phase, on average over threads.
PhaseSeconds seconds_of_a_step(const Model& model, const ExecutionOptions& execution,
                               double seconds) {
  TrainingStep step(model, execution);
  step.run();
  std::array<std::vector<double>, kPhaseNames.size()> of_steps;
  measure_rate(seconds, 1, [&] {
    const PhaseSeconds before = step.network().phase_seconds();
    step.run();
    const PhaseSeconds after = step.network().phase_seconds();
    for (std::size_t phase = 0; phase < of_steps.size(); ++phase)
      of_steps[phase].push_back((after[phase] - before[phase]) / execution.threads);
  });
  PhaseSeconds medians{};
  std::ranges::transform(of_steps, medians.begin(), median);
  return medians;
}

}  // namespace

ConvolutionSpeed measure_convolution(const BenchNetwork& network,
                                     const ModelConvolution& convolution,
                                     const ExecutionOptions& execution, double seconds) {
  const ImageModel with = probe_network(convolution, true);
  PhaseSeconds of_layer = seconds_of_a_step(with, execution, seconds);
  // Without its first layer a network has nothing to do but the loss, which is nothing beside it.
  if (!convolution.reads_input) {
    const ImageModel without = probe_network(convolution, false);
    const PhaseSeconds of_rest = seconds_of_a_step(without, execution, seconds);
    std::ranges::transform(of_layer, of_rest, of_layer.begin(), std::minus());
  }

  const auto direct = static_cast<double>(multiply_adds(convolution.shape, /*winograd=*/false));
  const double flop = 2.0 * direct * execution.max_samples;
  const auto speed_of = [&](Phase phase) -> std::optional<double> {
    const double phase_seconds = of_layer[static_cast<std::size_t>(phase)];
    if (phase_seconds <= 0) return {};
    return flop / phase_seconds;
  };
  return {.network = network,
          .execution = execution,
          .convolution = convolution,
          .forward = speed_of(Phase::kForward),
          .backward_data = convolution.reads_input ? std::nullopt : speed_of(Phase::kBackwardData),
          .backward_weights = speed_of(Phase::kBackwardWeights),
          .foreign_load = {}};
}

}  // namespace localbatch
