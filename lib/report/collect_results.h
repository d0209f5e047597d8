#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/results.h"

namespace localbatch {

/// Which results.
struct ResultsRequest {
  /// Experiment files, whose cells are looked for below `<output>/<experiment>`, and folders, in
  /// which every folder with an experiment.yaml is a run.
  std::vector<std::filesystem::path> sources;
  std::vector<std::string> settings = {};  ///< of --set, for the experiment files
  std::filesystem::path output = "results";
};

/// Paths in the result begin with the name of the folder that was given, or with that of the
/// experiment. Throws an InputError for a file that a run would refuse, a folder without a run and
/// for a file of a run that is damaged.
Results collect_results(const ResultsRequest& request);

}  // namespace localbatch
