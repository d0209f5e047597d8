#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "report/recorded_run.h"

namespace localbatch {

/// A run in its place, which it has also when nobody has run it.
struct SeedRun {
  int cell = 0;  ///< in its experiment file, from 1; 0 for runs that were found in a folder
  std::string seed;
  RecordedRun run;
};

/// Runs that differ in their seed only.
struct ResultCell {
  std::size_t row = 0, group = 0;
  std::vector<SeedRun> runs;
};

/// Results in the order of a table.
struct Results {
  std::string title;                 ///< names of the experiments
  std::vector<std::string> rows;     ///< schedules
  std::vector<std::string> groups;   ///< what decides H
  std::vector<ResultCell> cells;     ///< by row, then by group; only those that have runs
  std::vector<std::string> remarks;  ///< what a person has to know about what was found
};

/// A run with the names of its row and group.
struct PlacedRun {
  std::string row, group;
  SeedRun seed_run;
};

/// Rows and groups in the order in which they come first. Throws an InputError for two runs with
/// the same row, group and seed.
Results arranged(std::string title, std::vector<PlacedRun> runs, std::vector<std::string> remarks);

}  // namespace localbatch
