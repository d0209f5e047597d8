#pragma once

#include <string>

#include "experiment/measured_run.h"
#include "experiment/run_forecast.h"

namespace localbatch {

/// One JSON object; units are in the names. `measured` may be empty.
std::string to_json(const RunForecast& run, const std::optional<MeasuredRun>& measured);

}  // namespace localbatch
