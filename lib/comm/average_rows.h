#pragma once

#include <span>

#include "comm/slice.h"

namespace localbatch {

/// out[i] = (1/M) sum over the M rows of row[i] for every i of the slice, into every array of
/// `outs`. Added in the order of the rows in double, divided by M, rounded to f32; every NaN is the
/// same quiet NaN. The bits of out[i] depend on the values row[i] alone, not on the slice. An array
/// may be a row and an out.
void average_rows(std::span<const float* const> rows, Slice slice, std::span<float* const> outs);

}  // namespace localbatch
