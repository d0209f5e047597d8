#pragma once

#include <string>
#include <vector>

#include "experiment/sweep.h"
#include "report/finished_run.h"

namespace localbatch {

/// The label of the schedule of the local batch size, for the row of a table: "constant 32", "norm
/// test, eta 0.8", "augmented inner-product test, theta 0.9, nu 5.84", or the name of another
/// controller.
std::string schedule_label(const Settings& settings);

/// The label of the rule for H, for a group of columns: "H = 8", or the name of a rule that changes
/// it.
std::string sync_interval_label(const Settings& settings);

/// The place of a cell on the axes of its sweep other than H and the seed: "norm test" on an axis
/// with a name of its own, "eta 0.8" on one that is a key. Empty when there is no such axis.
std::string coordinates_label(const std::vector<SweepCell::Coordinate>& coordinates,
                              const Settings& settings);

/// Labels that occur several times get as few settings as tell them apart: "constant 32, peak 0.4",
/// with whole keys where their last words are the same. `settings` holds the keys that count for
/// each label.
std::vector<std::string> disambiguated(const std::vector<std::string>& labels,
                                       const std::vector<Settings>& settings);

/// The settings that identify a table row: all but the seed, H and places.
Settings settings_of_row(const Settings& settings);

/// The settings that decide H.
Settings settings_of_sync_interval(const Settings& settings);

/// Whether a comes before b for a person: "constant 32" before "constant 128".
bool comes_before(const std::string& a, const std::string& b);

}  // namespace localbatch
