#include "elsewhere.h"

#include <fmt/core.h>

#include <limits>
#include <utility>

#include "command_line.h"
#include "core/error.h"
#include "core/text.h"

namespace localbatch {

void ElsewhereOptions::declare(CommandLine& line) {
  line.option("hosts", "K", hosts, "of these networks; default: one for each worker");
  line.option("samples-per-second", "S", samples_per_second,
              "of a worker there; default: as timing.csv of each run has it by local batch");
}

void ElsewhereOptions::check(std::string_view command, std::string_view by, bool is_asked) const {
  for (const auto& [name, is_there] :
       {std::pair("hosts", hosts.has_value()),
        std::pair("samples-per-second", samples_per_second.has_value())})
    if (is_there && !is_asked)
      fail_input("{}: --{}: found without --{}, expected both", command, name, by);
  if (hosts && *hosts < 1) fail_input("{}: --hosts: found {}, expected 1 or more", command, *hosts);
  check_is_positive(command, "samples-per-second", samples_per_second);
}

Elsewhere::Elsewhere(std::string command, const ElsewhereOptions& options,
                     std::optional<int> workers)
    : command_(std::move(command)), options_(options), workers_(workers) {}

std::string Elsewhere::text() const {
  return fmt::format(
      "by plan --replay{} on {}, {}",
      workers_ ? fmt::format(" of {}", counted(*workers_, "worker")) : "",
      options_.hosts ? counted(*options_.hosts, "host") : "one host per worker",
      options_.samples_per_second
          ? fmt::format("with {:g} samples per second of a worker", *options_.samples_per_second)
          : "with the speed of timing.csv");
}

std::optional<std::map<double, double>> Elsewhere::ends(const FinishedRun& run,
                                                        const Interconnect& interconnect) {
  if (run.path.empty() || !run.rounds || !run.evaluations) return {};
  const Recording& recording = recording_of(run.path);
  std::optional<StepSeconds> speed = recording.run.speed;
  if (options_.samples_per_second) speed = StepSeconds(*options_.samples_per_second);
  if (!speed) return {};
  std::map<double, double> ends;
  for (const ReplayedRound& round : replay_run(recording, *speed, interconnect).rounds)
    ends[static_cast<double>(round.recorded.round)] = round.end_seconds;
  return ends;
}

const Recording& Elsewhere::recording_of(const std::filesystem::path& path) {
  const auto known = recordings_.find(path);
  if (known != recordings_.end()) return known->second;
  const auto placement = [&](int workers) -> Placement {
    const int hosts = options_.hosts.value_or(workers);
    if (hosts > workers)
      fail_input("{}: --hosts: found {}, allowed are at most as many as workers of {}, {}",
                 command_, hosts, path.string(), workers);
    return {.workers = workers, .hosts = neighbours_on_hosts(hosts, hosts)};
  };
  // A core for every thread: no host waits for its own.
  constexpr int kEnough = std::numeric_limits<int>::max();
  return recordings_.emplace(path, read_recording(path, placement, kEnough, workers_))
      .first->second;
}

}  // namespace localbatch
