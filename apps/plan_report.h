#pragma once

#include <optional>
#include <vector>

#include "experiment/measured_run.h"
#include "experiment/run_forecast.h"
#include "experiment/sweep.h"

namespace localbatch {

/// On standard output, as plain aligned text.
void print_forecast(const RunForecast& run, const std::optional<MeasuredRun>& measured);

/// A line for each cell of a sweep, and the whole of one after the other.
void print_sweep_forecast(const std::vector<SweepCell>& cells,
                          const std::vector<RunForecast>& runs);

}  // namespace localbatch
