#pragma once

#include <optional>
#include <vector>

#include "experiment/sweep.h"
#include "plan/forecast.h"
#include "plan/measured_run.h"

namespace localbatch {

/// On standard output, as plain aligned text.
void print_forecast(const RunForecast& run, const std::optional<MeasuredRun>& measured);

/// A line for each cell of a sweep, and the whole of one after the other.
void print_sweep_forecast(const std::vector<SweepCell>& cells,
                          const std::vector<RunForecast>& runs);

}  // namespace localbatch
