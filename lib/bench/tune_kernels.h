#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bench/measure_convolutions.h"
#include "nn/execution.h"

namespace localbatch {

/// A way to compute a convolution, and how long a step of a small network with it takes.
struct KernelCandidate {
  KernelChoice choice;
  double median_seconds = 0;
};

/// The candidates that were timed for a convolution, the rule's own choice first.
struct TunedConvolution {
  ConvolutionShape shape;
  std::vector<KernelCandidate> candidates;
  std::size_t chosen = 0;

  const KernelCandidate& rule() const { return candidates.front(); }
  const KernelCandidate& choice() const { return candidates[chosen]; }
};

/// Winograd and direct where both exist and `execution` allows both, each with as many images per
/// slice as the rule says, half and twice as many.
std::vector<KernelChoice> candidate_kernels(const ModelConvolution& convolution,
                                            const ExecutionOptions& execution);

/// The index of the fastest, if it takes at most 97 % of the first one's time; otherwise 0, as
/// noise is no reason to change the bits of results.
std::size_t fastest_worth_it(const std::vector<KernelCandidate>& candidates);

/// Runs the candidates in turn, a step each, for about `seconds` per candidate.
TunedConvolution tune_convolution(const ModelConvolution& convolution,
                                  const ExecutionOptions& execution, double seconds);

/// The tuned convolutions, and the circumstances that let a person judge the choices.
struct TuningLog {
  std::string networks;  ///< "resnet20, resnet18"
  ExecutionOptions execution;
  std::optional<double> foreign_load;  ///< the largest while it was measured
  std::vector<TunedConvolution> tuned;
};

/// The choices as the text of a kernels file. Comments tell where and when they were made, and the
/// measured times.
std::string kernels_text(const TuningLog& log);

}  // namespace localbatch
