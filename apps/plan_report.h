#pragma once

#include <optional>

#include "experiment/measured_run.h"
#include "experiment/run_forecast.h"

namespace localbatch {

/// On standard output, as plain aligned text.
void print_forecast(const RunForecast& run, const std::optional<MeasuredRun>& measured);

}  // namespace localbatch
