#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiment/experiment.h"
#include "experiment/sweep.h"

namespace localbatch {

struct Launch;
struct RunRequest;

/// The run that a request asks for.
struct RequestedRun {
  std::vector<SweepCell::Coordinate> coordinates;  ///< in the file's sweep
  Experiment experiment;
  std::filesystem::path folder;  ///< of its results
  std::string settings;          ///< the text of its experiment.yaml
};

// A version that knows more keys than the one before writes more of them into experiment.yaml, so
// the hash in the name of a folder is another one. A run that has ended in the words of an earlier
// version is still the run that is asked for where all that it does not say is a default: it is
// neither looked for in vain nor run again, unless the request says --force.

/// The cells of the experiment file with its settings, at least one. Throws an InputError for a
/// setting that the sweep would overwrite, or a part of it.
std::vector<SweepCell> requested_cells(const RunRequest& request);

/// The runs of all cells, each checked as a run would check it.
std::vector<RequestedRun> read_requests(const RunRequest& request);

/// Reads the experiment of a cell: the one that is asked for, or the only one. Throws an InputError
/// for a cell that the file does not have, and for a file of several cells without the number of
/// one.
RequestedRun read_request(const RunRequest& request);

/// How the request's experiment is to be launched, as the doctor wants to know it; nothing is
/// loaded. Without a file: one worker on each rank, and results in the folder that the request
/// names. Throws an InputError.
Launch read_launch(const RunRequest& request);

/// The command line of a run without its launcher, as a shell reads it back.
std::string run_command_line(const RunRequest& request);

}  // namespace localbatch
