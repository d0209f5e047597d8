#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "comm/agreement.h"
#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "core/machine.h"
#include "core/text.h"
#include "doctor/doctor.h"
#include "json_documents.h"
#include "printers.h"
#include "run/prepared_run.h"
#include "run/requested_run.h"
#include "run/run_experiment.h"
#include "run/run_sweep.h"

namespace localbatch {

namespace {

/// The command line of `localbatch doctor`.
struct DoctorOptions {
  RunRequest request;
  bool json = false;
};

/// The options of `doctor`; nothing when only help was asked for.
std::optional<DoctorOptions> parse_doctor(std::span<const std::string> arguments) {
  DoctorOptions options;
  RunRequest& request = options.request;
  std::string file, output = "results";
  CommandLine line("doctor");
  line.positional("file", file);
  line.set_option(request.settings);
  line.default_option("output", "DIR", output, "where results would go");
  line.option("cell", "N", request.cell,
              "of a file with a sweep, the first one is 1; default: the first that has not ended");
  line.flag("force", request.force, "for a run that replaces results");
  line.flag("resume", request.resume, "for a run that may have finished already");
  line.flag("json", options.json, "print one JSON document: ranks, findings, would_start");
  if (!line.read(arguments,
                 "usage: localbatch doctor [FILE] [--set KEY=VALUE]... [--output DIR] [OPTIONS]\n"
                 "       mpirun -np RANKS localbatch doctor ...\n"
                 "       srun --mpi=pmix -n RANKS localbatch doctor ...\n\n"
                 "Looks at what a run of FILE would find, started in the same way, its data and\n"
                 "folder included, and leaves nothing behind. Ends with status 2 when a run would\n"
                 "be refused.\n"))
    return {};
  if (file.empty() && (!request.settings.empty() || request.cell))
    fail_input("doctor: {}: found without an experiment file, expected both",
               request.settings.empty() ? "--cell" : "--set");
  request.file = file;
  request.output = output;
  return options;
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

/// By host, in the order of their first ranks.
std::vector<std::vector<RankFacts>> by_host(const std::vector<RankFacts>& ranks) {
  std::vector<std::vector<RankFacts>> hosts;
  for (const RankFacts& rank : ranks) {
    const auto same = std::ranges::find_if(
        hosts, [&rank](const auto& host) { return host.front().host == rank.host; });
    if (same == hosts.end())
      hosts.push_back({rank});
    else
      same->push_back(rank);
  }
  return hosts;
}

void print_hosts(const std::vector<std::vector<RankFacts>>& hosts) {
  std::vector<TextRow> rows{{"host", "ranks", "cores", "free memory", "instruction set", "CPU"}};
  for (const auto& host : hosts) rows.push_back(host_row(host));
  print("{}", left_aligned(rows));
}

void print_variables(const RankFacts& rank) {
  std::string text;
  for (const auto& [name, value] : rank.environment)
    if (!tunes_mpi(name)) text += fmt::format(" {}={}", name, value);
  if (!text.empty()) print("\nvariables of rank {}:{}\n", rank.rank, text);
}

/// Once for all hosts whose first ranks have the same ones.
void print_mpi_variables(const std::vector<std::vector<RankFacts>>& hosts) {
  std::map<std::string, std::vector<std::string>> hosts_with;
  for (const auto& host : hosts) {
    std::string text;
    for (const auto& [name, value] : host.front().environment)
      if (tunes_mpi(name)) text += fmt::format("  {}={}\n", name, printable(value));
    hosts_with[text].push_back(host.front().host);
  }
  for (const auto& [text, names] : hosts_with)
    if (!text.empty()) print("\nvariables of MPI on {}:\n{}", join(names, ", "), text);
}

void print_report(const std::vector<RankFacts>& ranks, const Launch& launch, const Diagnoses& found,
                  bool refused) {
  if (launch.workers)
    print("{} of {}, results in {}\n\n", counted(*launch.workers, "worker"),
          counted(launch.threads_per_worker, "thread"), launch.output.string());
  const std::vector<std::vector<RankFacts>> hosts = by_host(ranks);
  print_hosts(hosts);
  print("\nthis program is built for {}\n", compiled_instruction_sets());
  print_variables(ranks.front());
  print_mpi_variables(hosts);
  print("\n");
  for (const Diagnosis& diagnosis : found) print_finding(diagnosis);
  print("\n{}\n", refused ? "a run would be refused" : "a run would start");
}

/// Of a sweep, a run takes the cells that have not ended one after the other.
void choose_cell(RunRequest& request) {
  if (request.file.empty() || request.cell || requested_cells(request).size() == 1) return;
  const std::vector<CellProgress> cells = cells_to_run(progress_of_cells(request), request.force);
  request.cell = cells.empty() ? 1 : cells.front().number;
  request.resume = true;
}

int examine_launch(const DoctorOptions& options, ProcessGroup& processes) {
  RunRequest request = options.request;
  const std::vector<RankFacts> ranks = gather_facts(processes);
  // One of them speaks, also when each of them is alone: a launcher ends the others at the first
  // status that is not 0.
  const bool alone = processes.num_ranks() == 1;
  const bool speaks =
      alone ? launched_place(ranks.front().environment) == 0 : processes.rank() == 0;
  if (alone && !speaks) return kSuccess;
  const Launch launch = agree(processes, [&] {
    choose_cell(request);
    return read_launch(request);
  });
  Diagnoses found;
  if (!request.file.empty())
    found = examine_run(request, processes, ranks);
  else if (speaks)
    found = examine(ranks, launch);
  if (!speaks) return kSuccess;
  const bool refused = has_refusal(found);
  if (options.json)
    print_json(json_of(ranks, launch, found));
  else
    print_report(ranks, launch, found, refused);
  std::fflush(stdout);
  return refused ? kInputFailure : kSuccess;
}

/// The processes that MPI connects, or this one alone when it connects none, which is what people
/// ask a doctor about.
std::unique_ptr<ProcessGroup> connected_processes() {
  try {
    return start_processes();
  } catch (const InputError&) {
    return single_process();
  }
}

}  // namespace

int doctor_command(std::span<const std::string> arguments) {
  const std::optional<DoctorOptions> options = parse_doctor(arguments);
  if (!options) return kSuccess;
  return with_processes(connected_processes(), [&](ProcessGroup& processes) {
    return examine_launch(*options, processes);
  });
}

}  // namespace localbatch
