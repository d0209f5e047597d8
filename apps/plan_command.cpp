#include <fmt/format.h>

#include <array>
#include <boost/program_options.hpp>
#include <charconv>
#include <cmath>
#include <iostream>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/machine.h"
#include "experiment/experiment_file.h"
#include "experiment/forecast_report.h"
#include "experiment/run_request.h"
#include "plan_report.h"

namespace localbatch {

namespace {

namespace po = boost::program_options;

/// What `localbatch plan` was asked for.
struct PlanOptions {
  std::string file;
  std::vector<std::string> settings;
  int cell = 0;                         ///< 0: not said
  int ranks = 0, hosts = 0, cores = 0;  ///< 0: not said
  std::string bandwidth = "1gbit";
  double latency = Machine().latency;
  double samples_per_second = 0;
  std::string speed_from, measured, json;
};

po::options_description visible_options(PlanOptions& options) {
  po::options_description visible("options");
  const auto add = [&visible](const char* name, const po::value_semantic* value,
                              const char* meaning) { visible.add_options()(name, value, meaning); };
  visible.add_options()("help,h", "print this text");
  add("set", po::value(&options.settings)->value_name("KEY=VALUE")->composing(),
      "change a key of the experiment file, as run does; may be repeated");
  add("cell", po::value(&options.cell)->value_name("N"),
      "of a file with a sweep, this cell alone, the first one is 1; default: a line for each");
  add("ranks", po::value(&options.ranks)->value_name("R"), "MPI ranks; default: one on each host");
  add("hosts", po::value(&options.hosts)->value_name("K"),
      "hosts, with neighbouring ranks together; default: one for each rank");
  add("cores", po::value(&options.cores)->value_name("N"),
      "of each host; default: those that this process may use");
  add("bandwidth", po::value(&options.bandwidth)->value_name("RATE")->default_value("1gbit"),
      "of a host's link in each direction: 1gbit, 200mbit, or bytes per second");
  add("latency",
      po::value(&options.latency)->value_name("SECONDS")->default_value(Machine().latency, "1e-4"),
      "of a message between hosts");
  add("samples-per-second", po::value(&options.samples_per_second)->value_name("S"),
      "training speed of one worker with its threads; default: measured here for a second");
  add("speed-from", po::value(&options.speed_from)->value_name("RUN_FOLDER"),
      "take that speed from a finished run");
  add("measured", po::value(&options.measured)->value_name("RUN_FOLDER"),
      "print what this finished run of the same settings took beside the prediction");
  add("json", po::value(&options.json)->value_name("FILE"), "write the numbers to a file as well");
  return visible;
}

/// "1gbit": 125000000 bytes per second, as tc(8) writes rates; without a unit bytes per second.
double bytes_per_second(const std::string& text) {
  struct Unit {
    std::string_view name;
    double bytes;
  };
  constexpr std::array<Unit, 4> kUnits{
      {{"", 1}, {"kbit", 1e3 / 8}, {"mbit", 1e6 / 8}, {"gbit", 1e9 / 8}}};
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && std::isfinite(value) && value > 0)
    for (const Unit& unit : kUnits)
      if (unit.name == std::string_view(rest, end)) return value * unit.bytes;
  fail_input("plan: --bandwidth: found '{}', expected a rate such as 1gbit or 125000000", text);
}

int count_of(std::string_view option, int found) {
  constexpr int kMost = 65536;
  if (found < 1 || found > kMost)
    fail_input("plan: --{}: found {}, allowed is 1 .. {}", option, found, kMost);
  return found;
}

Machine machine_of(const PlanOptions& options, const po::variables_map& given, int workers) {
  const bool has_ranks = given.count("ranks") > 0, has_hosts = given.count("hosts") > 0;
  int ranks = 1, hosts = 1;
  if (has_ranks) ranks = hosts = count_of("ranks", options.ranks);
  if (has_hosts) hosts = count_of("hosts", options.hosts);
  if (!has_ranks) ranks = hosts;
  if (hosts > ranks)
    fail_input("plan: --hosts: found {}, allowed are at most as many as ranks, {}", hosts, ranks);
  if (ranks > workers)
    fail_input("plan: found {} ranks, allowed are at most as many as workers, {}", ranks, workers);
  Machine machine{.placement = {.workers = workers, .hosts = neighbours_on_hosts(ranks, hosts)},
                  .cores_of_host = available_cores(),
                  .bandwidth = bytes_per_second(options.bandwidth),
                  .latency = options.latency};
  if (given.count("cores") > 0) machine.cores_of_host = count_of("cores", options.cores);
  if (!(machine.latency >= 0 && std::isfinite(machine.latency)))
    fail_input("plan: --latency: found {}, allowed is 0 or more seconds", machine.latency);
  if (given.count("samples-per-second") > 0) {
    machine.speed = options.samples_per_second;
    if (!(*machine.speed > 0 && std::isfinite(*machine.speed)))
      fail_input("plan: --samples-per-second: found {}, expected a positive number",
                 *machine.speed);
  }
  if (!options.speed_from.empty()) {
    if (machine.speed)
      fail_input("plan: --speed-from: found together with --samples-per-second, expected one");
    machine.speed = read_measured_run(options.speed_from).speed;
    if (!machine.speed)
      fail_input("{}: shows no time of training, expected a longer run", options.speed_from);
  }
  return machine;
}

int plan_sweep(const RunRequest& request, const PlanOptions& options,
               const po::variables_map& given) {
  for (const char* const one : {"measured", "json"})
    if (given.count(one) > 0)
      fail_input("plan: --{}: found with a sweep, expected --cell as well", one);
  std::vector<RunForecast> runs;
  for (const RequestedRun& run : read_requests(request))
    runs.push_back(
        forecast_run(run.experiment, machine_of(options, given, run.experiment.workers)));
  print_sweep_forecast(requested_cells(request), runs);
  return kSuccess;
}

int plan(const PlanOptions& options, const po::variables_map& given) {
  if (options.file.empty())
    fail_input("plan: an experiment file is missing; see 'localbatch plan --help'");
  if (given.count("json") > 0) check_can_hold_a_file("plan", "json", options.json);
  RunRequest request{.file = options.file, .settings = options.settings, .output = {}};
  if (given.count("cell") > 0) request.cell = options.cell;
  if (!request.cell && requested_cells(request).size() > 1)
    return plan_sweep(request, options, given);
  const Experiment experiment = read_request(request).experiment;
  const Machine machine = machine_of(options, given, experiment.workers);
  std::optional<MeasuredRun> measured;
  if (!options.measured.empty())
    measured = read_measured_run(options.measured, resolved_yaml(experiment.resolved));
  const RunForecast forecast = forecast_run(experiment, machine);
  print_forecast(forecast, measured);
  if (!options.json.empty()) write_file_atomically(options.json, to_json(forecast, measured));
  return kSuccess;
}

}  // namespace

int plan_command(std::span<const std::string> arguments) {
  PlanOptions options;
  const po::options_description visible = visible_options(options);
  const po::variables_map given = read_command_line(
      "plan", visible, {.name = "file", .value = po::value(&options.file)}, arguments);
  if (given.count("help") > 0) {
    std::cout << "usage: localbatch plan FILE [--set KEY=VALUE]... [--ranks R] [--hosts K] "
                 "[OPTIONS]\n\n"
              << "Says what a run of FILE will cost before it starts, and leaves nothing behind:\n"
              << "memory, what is sent, and seconds by a model of speed, latency and bandwidth.\n\n"
              << visible << std::flush;
    return kSuccess;
  }
  return plan(options, given);
}

}  // namespace localbatch
