#pragma once

#include <functional>
#include <vector>

#include "report/curves_data.h"
#include "report/target.h"

namespace localbatch {

/// The rounds of a run, taken by so many workers over links of so many bytes per second.
using EndsOverLinks = std::function<PredictedEnds(int workers, double bandwidth)>;

/// Predicted seconds until the target is reached against the bandwidth of a host's link, 1 Mbit/s
/// to 100 Gbit/s: a panel for each H and number of workers, a line for each schedule, the mean over
/// the seeds that reach it. Runs that never do are remarks.
Figure network_figure(const Results& results, const Target& target, const std::vector<int>& workers,
                      const EndsOverLinks& ends);

}  // namespace localbatch
