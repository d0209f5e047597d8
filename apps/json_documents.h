#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "doctor/doctor.h"
#include "report/paired_differences.h"
#include "report/result_table.h"
#include "run/run_sweep.h"

namespace localbatch {

/// Prints a document for programs: what is said with --json, and all that is said.
void print_json(const Json& document);

// What commands say to a person, as values. The units of figures are in the names of their keys;
// what is not known is null.

/// The cells of a sweep, or the runs in a folder, that were found at `source`.
Json json_of(const std::string& source, const std::vector<CellProgress>& cells);

Json json_of(const std::vector<RankFacts>& ranks, const Launch& launch, const Diagnoses& found);

Json json_of(const ResultTable& table);

/// The differences of the rows of a table to one of them.
Json json_of(const Differences& differences, const ResultTable& table);

}  // namespace localbatch
