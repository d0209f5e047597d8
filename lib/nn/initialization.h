#pragma once

#include <cstdint>
#include <span>

#include "nn/model.h"

namespace localbatch {

/// Starting values in canonical order, a function of (model, seed): convolutions and hidden dense
/// layers normal with variance 2/fan_in (He et al. 2015, equation 10), the classifier normal with
/// variance 1/fan_in (no ReLU follows it), biases 0, scales of normalizations 1 (or 0 where the
/// model says so).
void initialize_parameters(const Model& model, std::uint64_t seed, std::span<float> canonical);

/// Running means 0, running variances 1.
void initialize_statistics(const Model& model, std::span<float> statistics);

}  // namespace localbatch
