#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/machine.h"
#include "core/text.h"
#include "elsewhere.h"
#include "experiment/experiment_file.h"
#include "plan/forecast.h"
#include "plan/measured_run.h"
#include "replay_folders.h"
#include "run/requested_run.h"
#include "run/run_experiment.h"

namespace localbatch {

namespace {

void print_table(const std::vector<TextRow>& rows) { print("{}\n", right_aligned(rows)); }

std::string number(std::int64_t value) { return fmt::format("{}", value); }
std::string decimal(double value) { return fmt::format("{:.2f}", value); }
std::string size(std::int64_t bytes) { return size_text(static_cast<std::uint64_t>(bytes)); }
std::string seconds(double value) { return fmt::format("{:.{}f}", value, value < 100 ? 3 : 0); }

void print_setting(const RunForecast& run) {
  const Placement& placement = run.machine.placement;
  print("{}: {} of {} on {} and {}; {} with {} on a rank\n\n", run.experiment,
        counted(run.workers, "worker"), counted(run.threads_per_worker, "thread"),
        counted(placement.num_ranks(), "rank"), counted(placement.num_hosts(), "host"),
        counted(run.hosted_workers, "worker"), counted(run.slots, "execution slot"));
  std::vector<TextRow> rows{{"parameters", fmt::format("{}", run.parameters)}};
  if (run.forward_multiply_adds) {
    rows.push_back({"multiply-adds of a sample, forward", number(*run.forward_multiply_adds)});
    rows.push_back({"forward and backward", number(3 * *run.forward_multiply_adds)});
  }
  rows.push_back({fmt::format("samples per second of a worker, {}",
                              run.speed_is_measured ? "measured now" : "given"),
                  decimal(*run.machine.speed)});
  if (const auto tokens = run.tokens_per_second())
    rows.push_back({"tokens per second of a worker", decimal(*tokens)});
  rows.push_back({"bandwidth of a host, per second",
                  size(static_cast<std::int64_t>(run.machine.interconnect.bandwidth))});
  rows.push_back(
      {"latency between hosts, seconds", fmt::format("{:g}", run.machine.interconnect.latency)});
  print_table(rows);
}

void print_memory(const MemoryForecast& memory, std::size_t checkpoint_bytes) {
  std::vector<TextRow> rows{{"memory of a rank, estimated", "size"}};
  for (const MemoryPart& part : memory.parts)
    if (part.bytes > 0) rows.push_back({part.name, size_text(part.bytes)});
  rows.push_back({"total", size_text(memory.total())});
  rows.push_back({"on disk: a checkpoint, of which there are two", size_text(checkpoint_bytes)});
  print_table(rows);
}

void print_round(const std::string& title, const Ledger& ledger) {
  std::vector<TextRow> rows{{title, "messages", "bytes", "between hosts"}};
  for (std::size_t kind = 0; kind < kTrafficKinds; ++kind) {
    const auto& [messages, bytes, between_hosts] = ledger.entries[kind];
    if (messages > 0)
      rows.push_back(
          {std::string(kTrafficNames[kind]), number(messages), size(bytes), size(between_hosts)});
  }
  if (rows.size() == 1)
    rows.push_back({"nothing: one process; --ranks R asks for more", "-", "-", "-"});
  print_table(rows);
}

TextRow cost_row(const std::string& name, const RunCost& cost) {
  return {name,
          number(cost.count.sync_interval),
          number(cost.count.rounds),
          size(cost.traffic.ledger.bytes()),
          size(cost.traffic.busiest_link()),
          seconds(cost.compute_seconds),
          seconds(cost.communication_seconds),
          seconds(cost.evaluation_seconds),
          seconds(cost.seconds())};
}

void print_costs(const RunForecast& run) {
  std::vector<TextRow> rows{{"the whole run", "H", "rounds", "sent", "busiest link", "compute s",
                             "communication s", "evaluation s", "total s"},
                            cost_row("as the file says", run.cost)};
  for (const RunCost& cost : run.alternatives) rows.push_back(cost_row("with constant H", cost));
  print_table(rows);
}

void print_assumptions(const RoundCount& count) {
  if (count.assumes_sync_interval)
    print("  H follows from losses: this holds as long as it stays {}\n", count.sync_interval);
  if (count.assumes_local_batch_size)
    print("  the local batch follows from gradients: this holds as long as it stays {}\n",
          count.local_batch_size);
  if (count.assumes_sync_interval || count.assumes_local_batch_size) print("\n");
}

void print_measured(const RunCost& cost, int ranks, const MeasuredRun& measured) {
  std::vector<TextRow> rows{{"compared with the run", "predicted", "measured", "error %"}};
  const auto add = [&rows](const std::string& what, double predicted, double found,
                           std::string (*text)(double)) {
    rows.push_back({what, text(predicted), text(found),
                    found > 0 ? fmt::format("{:+.1f}", 100 * (predicted - found) / found) : "-"});
  };
  const auto whole = [](double value) { return fmt::format("{:.0f}", value); };
  add("rounds", static_cast<double>(cost.count.rounds), static_cast<double>(measured.rounds),
      whole);
  if (measured.ranks == ranks)
    add("bytes", static_cast<double>(cost.traffic.ledger.bytes()),
        static_cast<double>(measured.communication.bytes()), whole);
  add("compute seconds", cost.compute_seconds, measured.compute_seconds, seconds);
  add("communication seconds without waiting", cost.communication_seconds,
      measured.communication_seconds - measured.waiting_seconds, seconds);
  add("evaluation seconds", cost.evaluation_seconds, measured.evaluation_seconds, seconds);
  add("seconds", cost.seconds(), measured.seconds, seconds);
  print_table(rows);
  print("  the run had {}; worker 0 waited {} s for others\n", counted(measured.ranks, "rank"),
        seconds(measured.waiting_seconds));
}

void print_forecast(const RunForecast& run, const std::optional<MeasuredRun>& measured) {
  print_setting(run);
  print_memory(run.memory, run.checkpoint_bytes);
  print_round("a round sends", run.round.ledger);
  if (run.cost.count.measured > 0)
    print_round(fmt::format("each of {} rounds that look at gradients", run.cost.count.measured),
                run.measured_round.ledger);
  print_costs(run);
  print_assumptions(run.cost.count);
  if (measured) print_measured(run.cost, run.machine.placement.num_ranks(), *measured);
}

void print_sweep_forecast(const std::vector<SweepCell>& cells,
                          const std::vector<RunForecast>& runs) {
  std::vector<TextRow> rows{
      {"cell", "H", "rounds", "sent", "memory of a rank", "communication s", "total s"}};
  double all = 0;
  bool assumes = false;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunCost& cost = runs[i].cost;
    all += cost.seconds();
    assumes = assumes || cost.count.assumes_sync_interval || cost.count.assumes_local_batch_size;
    rows.push_back({fmt::format("{} {}", i + 1, cell_name(cells[i].coordinates)),
                    number(cost.count.sync_interval), number(cost.count.rounds),
                    size(cost.traffic.ledger.bytes()), size_text(runs[i].memory.total()),
                    seconds(cost.communication_seconds), seconds(cost.seconds())});
  }
  print_table(rows);
  print("  {} cells one after the other: {} s\n", runs.size(), seconds(all));
  if (assumes)
    print(
        "  where H or the local batch follow from losses and gradients, this holds as long as "
        "they stay what they are first\n");
}

/// The command line of `localbatch plan`.
struct PlanOptions {
  std::vector<std::string> words;  ///< a file, or folders of runs
  bool replay = false, extrapolate = false;
  std::vector<std::string> settings;
  std::optional<int> cell, ranks, hosts, cores, workers;
  std::optional<std::string> bandwidth, network_file;
  std::optional<double> latency, samples_per_second;
  std::string speed_from;
  std::optional<std::string> measured, json, csv;
};

void declare_options(CommandLine& line, PlanOptions& options) {
  line.positional("file", options.words);
  line.flag(
      "replay", options.replay,
      "the words are folders of runs that have ended, or of many such: predict the seconds of "
      "their rounds, with the local batches and H that they had");
  line.set_option(options.settings);
  line.option("cell", "N", options.cell,
              "of a file with a sweep, this cell alone, the first one is 1; default: a line for "
              "each");
  line.option("ranks", "R", options.ranks, "MPI ranks; default: one on each host");
  line.option(
      "hosts", "K", options.hosts,
      "hosts, with neighbouring ranks together; default: one for each rank, and with --replay "
      "one for each worker");
  line.option("cores", "N", options.cores,
              "of each host; default: those that this process may use");
  line.option("workers", "M", options.workers,
              "with --replay: that take the rounds, with the local batches and H of the recorded "
              "ones");
  line.option("bandwidth", "RATE", options.bandwidth,
              "of a host's link in each direction: 1gbit, 200mbit, or bytes per second; default: "
              "1gbit");
  line.option("latency", "SECONDS", options.latency, "of a message between hosts; default: 1e-4");
  line.option("network-file", "FILE", options.network_file,
              "take both from what 'bench sync --fit' measured");
  line.flag("extrapolate", options.extrapolate,
            "predict beyond 4 times the hosts, bytes or local batches that were measured");
  line.option("samples-per-second", "S", options.samples_per_second,
              "training speed of one worker with its threads; default: measured here for a second, "
              "with --replay that of each run by its timing.csv");
  line.option("speed-from", "RUN_FOLDER", options.speed_from,
              "take that speed from a finished run");
  line.option("measured", "RUN_FOLDER", options.measured,
              "print what this finished run of the same settings took beside the prediction");
  line.option("json", "FILE", options.json, "write the numbers to a file as well");
  line.option("csv", "FILE", options.csv, "with --replay: write a row for every round");
}

int count_of(std::string_view option, int found) {
  if (found < 1 || found > kMostWorkersElsewhere)
    fail_input("plan: --{}: found {}, allowed is 1 .. {}", option, found, kMostWorkersElsewhere);
  return found;
}

/// `usual_hosts`: where neither hosts nor ranks are given.
Placement placement_of(const PlanOptions& options, int workers, int usual_hosts) {
  const int hosts = options.hosts   ? count_of("hosts", *options.hosts)
                    : options.ranks ? count_of("ranks", *options.ranks)
                                    : usual_hosts;
  const int ranks = options.ranks ? count_of("ranks", *options.ranks) : hosts;
  if (hosts > ranks)
    fail_input("plan: --hosts: found {}, allowed are at most as many as ranks, {}", hosts, ranks);
  if (ranks > workers)
    fail_input("plan: found {} ranks, allowed are at most as many as workers, {}", ranks, workers);
  return {.workers = workers, .hosts = neighbours_on_hosts(ranks, hosts)};
}

Interconnect interconnect_of(const PlanOptions& options) {
  if (options.network_file) {
    if (options.bandwidth || options.latency)
      fail_input("plan: --network-file: found together with --{}, expected one",
                 options.bandwidth ? "bandwidth" : "latency");
    return read_interconnect(*options.network_file);
  }
  Interconnect given;
  if (options.bandwidth) given.bandwidth = parse_bandwidth("plan: --bandwidth", *options.bandwidth);
  if (options.latency) given.latency = *options.latency;
  check_is_not_negative("plan", "latency", given.latency);
  return given;
}

int cores_of(const PlanOptions& options) {
  return options.cores ? count_of("cores", *options.cores) : available_cores();
}

std::optional<double> given_samples_per_second(const PlanOptions& options) {
  const std::optional<double> speed = options.samples_per_second;
  check_is_positive("plan", "samples-per-second", speed);
  if (speed && !options.speed_from.empty())
    fail_input("plan: --speed-from: found together with --samples-per-second, expected one");
  return speed;
}

/// The samples per second of a worker, if they are given and need not be measured.
std::optional<double> given_speed(const PlanOptions& options) {
  std::optional<double> speed = given_samples_per_second(options);
  if (options.speed_from.empty()) return speed;
  speed = read_measured_run(options.speed_from).speed;
  if (!speed)
    fail_input("{}: shows no time of training, expected a longer run", options.speed_from);
  return speed;
}

Machine machine_of(const PlanOptions& options, int workers) {
  return {.placement = placement_of(options, workers, 1),
          .cores_of_host = cores_of(options),
          .interconnect = interconnect_of(options),
          .speed = given_speed(options)};
}

RunForecast forecast(const PlanOptions& options, const Experiment& experiment,
                     MeasuredSpeeds& speeds) {
  const RunForecast run = forecast_run(experiment, machine_of(options, experiment.workers), speeds);
  if (!options.extrapolate)
    check_reach(run.machine.interconnect, run.machine.placement.num_hosts(), run.cost.traffic);
  return run;
}

/// Each once, though many cells may share it.
void print_doubts(const std::vector<RunForecast>& runs) {
  std::set<std::string> said;
  for (const RunForecast& run : runs)
    for (const std::string& doubt : run.doubts)
      if (said.insert(doubt).second) print(stderr, "localbatch: warning: {}\n", doubt);
}

int plan_sweep(const RunRequest& request, const PlanOptions& options) {
  for (const char* const one :
       {options.measured ? "measured" : nullptr, options.json ? "json" : nullptr})
    if (one != nullptr) fail_input("plan: --{}: found with a sweep, expected --cell as well", one);
  std::vector<RunForecast> runs;
  MeasuredSpeeds speeds;
  for (const RequestedRun& run : read_requests(request))
    runs.push_back(forecast(options, run.experiment, speeds));
  print_doubts(runs);
  print_sweep_forecast(requested_cells(request), runs);
  return kSuccess;
}

int plan_file(const PlanOptions& options) {
  const std::string file = options.words.empty() ? "" : options.words.front();
  require_file("plan", file);
  if (options.words.size() > 1)
    fail_input(
        "plan: found '{}' and '{}', expected one experiment file; folders of runs are for "
        "--replay",
        file, options.words[1]);
  for (const auto& [name, is_there] : {std::pair("csv", options.csv.has_value()),
                                       std::pair("workers", options.workers.has_value())})
    if (is_there) fail_input("plan: --{}: found without --replay, expected both", name);
  if (options.json) check_can_hold_a_file("plan", "json", *options.json, options.words);
  RunRequest request{.file = file, .settings = options.settings, .output = {}};
  request.cell = options.cell;
  if (!request.cell && requested_cells(request).size() > 1) return plan_sweep(request, options);
  const Experiment experiment = read_request(request).experiment;
  std::optional<MeasuredRun> measured;
  if (options.measured)
    measured = read_measured_run(*options.measured, resolved_yaml(experiment.resolved));
  MeasuredSpeeds speeds;
  const RunForecast run = forecast(options, experiment, speeds);
  print_doubts({run});
  print_forecast(run, measured);
  if (options.json) write_file_atomically(*options.json, to_json(run, measured));
  return kSuccess;
}

int plan_replays(const PlanOptions& options) {
  for (const auto& [name, is_there] :
       {std::pair("set", !options.settings.empty()), std::pair("cell", options.cell.has_value()),
        std::pair("measured", options.measured.has_value())})
    if (is_there) fail_input("plan: --replay: found with --{}, expected one of these", name);
  if (options.workers) count_of("workers", *options.workers);
  return replay_folders(
      {.folders = options.words,
       .workers = options.workers,
       .placement = [&options](int workers) { return placement_of(options, workers, workers); },
       .cores_of_host = cores_of(options),
       .interconnect = interconnect_of(options),
       .samples_per_second = given_samples_per_second(options),
       .speed_from = options.speed_from,
       .extrapolate = options.extrapolate,
       .json = options.json,
       .csv = options.csv});
}

}  // namespace

int plan_command(std::span<const std::string> arguments) {
  PlanOptions options;
  CommandLine line("plan");
  declare_options(line, options);
  if (!line.read(arguments,
                 "usage: localbatch plan FILE [--set KEY=VALUE]... [--ranks R] [--hosts K] "
                 "[OPTIONS]\n"
                 "       localbatch plan --replay RUN_FOLDER... [--hosts K] [OPTIONS]\n\n"
                 "Says what a run of FILE will cost before it starts, and leaves nothing behind:\n"
                 "memory, what is sent, and seconds by a model of speed, latency and bandwidth;\n"
                 "or by the same model what runs would have taken on another network.\n"))
    return kSuccess;
  return options.replay ? plan_replays(options) : plan_file(options);
}

}  // namespace localbatch
