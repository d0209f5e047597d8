#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "nn/kernel_choices.h"

namespace localbatch {

/// The type of activations and of the factors in convolutions. Parameters, gradients, running
/// moments and the loss are f32 (or double) always.
enum class Precision { kFloat32, kBfloat16 };

/// The name in options and records.
constexpr std::string_view precision_name(Precision precision) {
  return precision == Precision::kFloat32 ? "f32" : "bf16";
}

/// Whether this CPU multiplies bf16 in hardware and the program was built for its vectors; without
/// that, bf16 would be slower than f32.
bool supports_bfloat16();

/// "2.6.3", and the instruction set that oneDNN uses on this CPU, "avx512_core_bf16" say.
std::string onednn_version();
std::string onednn_instruction_set();

/// How a network is to be executed.
struct ExecutionOptions {
  int max_samples = 1;  ///< the largest micro-batch
  int threads = 1;      ///< size of the team that works on one; no influence on results
  Precision precision = Precision::kFloat32;
  ConvolutionRule convolution = ConvolutionRule::kAuto;
  KernelChoices kernels = {};  ///< overrides of the rule for some convolutions
  /// Share of a target's probability that all classes have alike in training; the losses that are
  /// returned are those without it.
  double label_smoothing = 0;
};

/// A kind of work of a network's threads.
enum class Phase {
  kForward,  ///< convolutions and dense layers
  kBackwardData,
  kBackwardWeights,
  kElementwise,  ///< normalizations, ReLU, residuals, pools, loss
  kWeights,      ///< weights copied to the layouts of the passes, sums of partial gradients
  kWaiting,      ///< for the other threads of the team
};
constexpr std::array<std::string_view, 6> kPhaseNames{
    "forward", "backward_data", "backward_weights", "elementwise", "weights", "waiting"};

/// Seconds of all threads together, by Phase.
using PhaseSeconds = std::array<double, kPhaseNames.size()>;

}  // namespace localbatch
