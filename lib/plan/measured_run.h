#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "comm/ledger.h"

namespace localbatch {

/// What a finished run took, from the files in its folder; seconds are those of worker 0.
struct MeasuredRun {
  std::int64_t rounds = 0, samples = 0;
  double compute_seconds = 0;  ///< data, gradient and update, and waiting for a free slot
  double communication_seconds = 0, waiting_seconds = 0, evaluation_seconds = 0;
  double seconds = 0;  ///< all rounds
  /// Samples per second of a worker that has a slot; nothing where it took no time to speak of.
  std::optional<double> speed;
  int ranks = 1;
  Ledger communication;  ///< of all ranks
};

/// Throws an InputError that names the file that is missing or cannot be used. With `resolved`, the
/// text of experiment.yaml, a run with other settings is refused.
MeasuredRun read_measured_run(const std::filesystem::path& folder,
                              const std::optional<std::string>& resolved = {});

}  // namespace localbatch
