#pragma once

#include <string>

namespace localbatch {

struct Results;

/// Whose rows are the points of a curve.
enum class CurvesOf { kEvaluations, kRounds };

/// The curves of all runs that have ended, or where the results ask for it have begun, as one CSV
/// file, a row for each point: experiment, folder, schedule, H, seed, and the columns that any of
/// the runs has. A cell of a column that a run does not have is empty, as is what was not measured.
std::string curves_table(const Results& results, CurvesOf kind);

}  // namespace localbatch
