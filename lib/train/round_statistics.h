#pragma once

#include "train/local_sgd.h"

namespace localbatch {

// What the loop of Local SGD does with its GradientMeter.

/// What a meter is to measure for everybody who looks.
Measurement measurement(const LocalSgd& method);

/// Whether somebody looks at the statistics of this round (counted from 1): the controller's test
/// or the learning rate; `anybody`: or an observer.
bool looks_at_statistics(const LocalSgd& method, std::int64_t round, int local_batch_size,
                         bool anybody);

/// What `controller` makes of the round; without statistics to look at there is a reason all the
/// same.
Wanted wanted_of(const BatchSizeController& controller, const RoundRecord& round,
                 int initial_local_batch_size, const std::optional<GradientStatistics>& statistics);

/// Reads the meter when a round's synchronization is over, `sums` being those of all workers: fills
/// in what the round record holds of gradients, and what the next rounds need to know. Collective.
void read_meter(const LocalSgd& method, GradientMeter& meter, const GroupSums& sums,
                Progress& progress, RoundRecord& round);

}  // namespace localbatch
