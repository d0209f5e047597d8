#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "core/text.h"
#include "doctor/doctor.h"
#include "run/requested_run.h"
#include "run/run_request.h"

namespace localbatch {

namespace {

/// The options of `doctor`; nothing when only help was asked for.
std::optional<RunRequest> parse(std::span<const std::string> arguments) {
  RunRequest request;
  std::string file, output = "results";
  CommandLine line("doctor");
  line.positional("file", file);
  line.set_option(request.settings);
  line.default_option("output", "DIR", output, "where results would go");
  if (!line.read(arguments,
                 "usage: localbatch doctor [FILE] [--set KEY=VALUE]... [--output DIR]\n"
                 "       mpirun -np RANKS localbatch doctor ...\n"
                 "       srun --mpi=pmix -n RANKS localbatch doctor ...\n\n"
                 "Looks at what a run of FILE would find, started in the same way, and leaves\n"
                 "nothing behind. Ends with status 2 when a run would be refused.\n"))
    return {};
  if (file.empty() && !request.settings.empty())
    fail_input("doctor: --set: found without an experiment file, expected both");
  request.file = file;
  request.output = output;
  return request;
}

/// "0-3 of 8", with the number on each rank where that is another one.
std::string cores_of_host(const std::vector<RankFacts>& ranks) {
  std::set<int> all;
  int reachable = 0;
  std::size_t least = ranks.front().cores.size(), most = 0;
  for (const RankFacts& rank : ranks) {
    all.insert(rank.cores.begin(), rank.cores.end());
    reachable = std::max(reachable, rank.reachable_cores);
    least = std::min(least, rank.cores.size());
    most = std::max(most, rank.cores.size());
  }
  if (all.empty()) return "unknown";
  std::string text =
      fmt::format("{} of {}", number_ranges(std::vector(all.begin(), all.end())), reachable);
  if (least < all.size())
    text +=
        least == most ? fmt::format(", {} each", most) : fmt::format(", {}-{} each", least, most);
  return text;
}

TextRow host_row(const std::vector<RankFacts>& ranks) {
  constexpr double kGibibyte = 1 << 30;
  const RankFacts& first = ranks.front();
  std::vector<int> numbers;
  numbers.reserve(ranks.size());
  for (const RankFacts& rank : ranks) numbers.push_back(rank.rank);
  return {
      first.host,
      number_ranges(numbers),
      cores_of_host(ranks),
      fmt::format("{:.1f} of {:.1f} GiB", static_cast<double>(first.available_bytes) / kGibibyte,
                  static_cast<double>(first.memory_bytes) / kGibibyte),
      first.instruction_set,
      first.cpu};
}

/// A line for each host, in the order of their first ranks.
void print_hosts(const std::vector<RankFacts>& ranks) {
  std::vector<std::vector<RankFacts>> hosts;
  for (const RankFacts& rank : ranks) {
    const auto same = std::ranges::find_if(
        hosts, [&rank](const auto& host) { return host.front().host == rank.host; });
    if (same == hosts.end())
      hosts.push_back({rank});
    else
      same->push_back(rank);
  }
  std::vector<TextRow> rows{{"host", "ranks", "cores", "free memory", "instruction set", "CPU"}};
  for (const auto& host : hosts) rows.push_back(host_row(host));
  print("{}", left_aligned(rows));
}

void print_variables(const RankFacts& rank) {
  if (rank.environment.empty()) return;
  print("\nvariables of rank {}:", rank.rank);
  for (const auto& [name, value] : rank.environment) print(" {}={}", name, value);
  print("\n");
}

int print_report(const std::vector<RankFacts>& ranks, const RunRequest& request) {
  const Launch launch = read_launch(request);
  const Diagnoses found = examine(ranks, launch);
  if (launch.workers)
    print("{} workers of {} thread{}, results in {}\n\n", *launch.workers,
          launch.threads_per_worker, launch.threads_per_worker == 1 ? "" : "s",
          launch.output.string());
  print_hosts(ranks);
  print_variables(ranks.front());
  print("\n");
  for (const Diagnosis& diagnosis : found) {
    print("{:<9}{}\n", severity_name(diagnosis.severity), diagnosis.text);
    if (!diagnosis.advice.empty()) print("{:<9}-> {}\n", "", diagnosis.advice);
  }
  const auto refusals = std::ranges::count(found, Severity::kRefusal, &Diagnosis::severity);
  print("\n{}\n", refusals > 0 ? "a run would be refused" : "a run would start");
  std::fflush(stdout);
  return refusals > 0 ? kInputFailure : kSuccess;
}

/// The processes that MPI connects, or this one alone when it connects none, which is what people
/// ask a doctor about.
std::unique_ptr<ProcessGroup> connected_processes() {
  try {
    return mpi_processes();
  } catch (const InputError&) {
    return single_process();
  }
}

}  // namespace

int doctor_command(std::span<const std::string> arguments) {
  const std::optional<RunRequest> request = parse(arguments);
  if (!request) return kSuccess;
  const std::unique_ptr<ProcessGroup> processes = connected_processes();
  const std::vector<RankFacts> ranks = gather_facts(*processes);
  // One of them speaks, also when each of them is alone: a launcher ends the others at the first
  // status that is not 0.
  const bool speaks = processes->num_ranks() > 1 ? processes->rank() == 0
                                                 : launched_place(ranks.front().environment) == 0;
  return speaks ? print_report(ranks, *request) : kSuccess;
}

}  // namespace localbatch
