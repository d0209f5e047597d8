#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "plan/replay.h"
#include "report/finished_run.h"

namespace localbatch {

class CommandLine;

constexpr int kMostWorkersElsewhere = 65536;  ///< as many as an experiment may have

/// The options by which `table` and `plot` say on what runs would take place elsewhere.
struct ElsewhereOptions {
  std::optional<int> hosts;
  std::optional<double> samples_per_second;

  void declare(CommandLine& line);

  /// Throws an InputError that names the command for numbers that are not allowed, and for any
  /// where it `is_asked` by no option `by` to predict.
  void check(std::string_view command, std::string_view by, bool is_asked) const;
};

/// Runs as they would be on other hosts, each read once for all networks.
class Elsewhere {
 public:
  /// With `workers` so many take the rounds of the recorded ones.
  Elsewhere(std::string command, const ElsewhereOptions& options, std::optional<int> workers);

  /// "by plan --replay on one host per worker, with the speed of timing.csv".
  std::string text() const;

  /// The seconds at which each round would end, as PredictedEnds has it.
  std::optional<std::map<double, double>> ends(const FinishedRun& run,
                                               const Interconnect& interconnect);

 private:
  const Recording& recording_of(const std::filesystem::path& path);

  std::string command_;
  ElsewhereOptions options_;
  std::optional<int> workers_;
  std::map<std::filesystem::path, Recording> recordings_;
};

}  // namespace localbatch
