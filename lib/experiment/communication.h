#pragma once

#include <span>

#include "core/options.h"
#include "train/parameter_average.h"

namespace localbatch {

struct LocalSgd;

/// Reads what travels between workers and when, and what holds each of them near the others before:
/// `communication`, `streaming`, `proximal_term` and `worker_weights`. Statistics must have been
/// read.
void read_communication(Options& experiment, LocalSgd& method);

/// f32, bf16, int8, int4, top_k.
std::span<const PartRow<ParameterFormat>> parameter_format_table();

}  // namespace localbatch
