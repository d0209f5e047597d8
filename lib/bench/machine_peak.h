#pragma once

#include <cstddef>
#include <optional>

#include "nn/execution.h"

namespace localbatch {

/// FLOP per second that `threads` threads reach together in fused multiply-adds on registers alone,
/// an upper bound for any network: products of f32, or of pairs of bf16 added up in f32, where the
/// CPU has tiles (AMX) by these. The result is the best of many short windows; there is none for
/// bf16 where the program was built without these instructions or the CPU lacks them.
std::optional<double> measure_peak(Precision precision, int threads);

/// Of both types; none: not measured.
struct MachinePeaks {
  std::optional<double> f32, bf16;

  const std::optional<double>& of(Precision precision) const {
    return precision == Precision::kFloat32 ? f32 : bf16;
  }
};

/// Memory of this process as the kernel counts it (proc(5), VmRSS and VmHWM), in bytes; 0 where the
/// kernel does not tell.
std::size_t resident_bytes();
std::size_t peak_resident_bytes();

/// Gives free memory back and restarts the peak at the present resident memory.
void reset_peak_resident_bytes();

}  // namespace localbatch
