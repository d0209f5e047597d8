#include "plan_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "text_table.h"

namespace localbatch {

namespace {

/// The first column on the left, numbers on the right of columns as wide as their widest cell.
void print_table(const std::vector<TextRow>& rows) {
  const std::vector<std::size_t> widths = column_widths(rows);
  for (const TextRow& row : rows) {
    fmt::print("  {:<{}}", row.front(), widths.front());
    for (std::size_t column = 1; column < row.size(); ++column)
      fmt::print("  {:>{}}", row[column], widths[column]);
    fmt::print("\n");
  }
  fmt::print("\n");
}

std::string number(std::int64_t value) { return fmt::format("{}", value); }
std::string decimal(double value) { return fmt::format("{:.2f}", value); }
/// Of times from microseconds to days.
std::string seconds(double value) { return fmt::format("{:.{}f}", value, value < 100 ? 3 : 0); }
std::string plural(int count, std::string_view thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

void print_setting(const RunForecast& run) {
  const Placement& placement = run.machine.placement;
  fmt::print("{}: {} of {} on {} and {}; {} with {} on a rank\n\n", run.experiment,
             plural(run.workers, "worker"), plural(run.threads_per_worker, "thread"),
             plural(placement.num_ranks(), "rank"), plural(placement.num_hosts(), "host"),
             plural(run.hosted_workers, "worker"), plural(run.slots, "execution slot"));
  std::vector<TextRow> rows{{"parameters", fmt::format("{}", run.parameters)}};
  if (run.forward_multiply_adds) {
    rows.push_back({"multiply-adds of a sample, forward", number(*run.forward_multiply_adds)});
    rows.push_back({"forward and backward", number(3 * *run.forward_multiply_adds)});
  }
  rows.push_back({fmt::format("samples per second of a worker, {}",
                              run.speed_is_measured ? "measured now" : "given"),
                  decimal(*run.machine.speed)});
  rows.push_back(
      {"bandwidth of a host, bytes per second", fmt::format("{:.0f}", run.machine.bandwidth)});
  rows.push_back({"latency between hosts, seconds", fmt::format("{:g}", run.machine.latency)});
  print_table(rows);
}

void print_memory(const MemoryForecast& memory) {
  constexpr double kMebibyte = 1 << 20;
  std::vector<TextRow> rows{{"memory of a rank, estimated", "MiB"}};
  for (const MemoryPart& part : memory.parts)
    if (part.bytes > 0)
      rows.push_back({part.name, decimal(static_cast<double>(part.bytes) / kMebibyte)});
  rows.push_back({"total", decimal(static_cast<double>(memory.total()) / kMebibyte)});
  print_table(rows);
}

void print_round(const std::string& title, const Ledger& ledger) {
  std::vector<TextRow> rows{{title, "messages", "bytes", "between hosts"}};
  for (std::size_t kind = 0; kind < kTrafficKinds; ++kind) {
    const auto& [messages, bytes, between_hosts] = ledger.entries[kind];
    if (messages > 0)
      rows.push_back({std::string(kTrafficNames[kind]), number(messages), number(bytes),
                      number(between_hosts)});
  }
  if (rows.size() == 1) rows.push_back({"nothing: one process", "0", "0", "0"});
  print_table(rows);
}

std::int64_t bytes_of(const Ledger& ledger) {
  std::int64_t bytes = 0;
  for (const Ledger::Entry& entry : ledger.entries) bytes += entry.bytes;
  return bytes;
}

TextRow cost_row(const std::string& name, const RunCost& cost) {
  return {name,
          number(cost.count.sync_interval),
          number(cost.count.rounds),
          number(bytes_of(cost.traffic.ledger)),
          number(cost.traffic.busiest_link()),
          seconds(cost.compute_seconds),
          seconds(cost.communication_seconds),
          seconds(cost.evaluation_seconds),
          seconds(cost.seconds())};
}

void print_costs(const RunForecast& run) {
  std::vector<TextRow> rows{{"the whole run", "H", "rounds", "bytes", "busiest link", "compute s",
                             "communication s", "evaluation s", "total s"},
                            cost_row("as the file says", run.cost)};
  for (const RunCost& cost : run.alternatives) rows.push_back(cost_row("with constant H", cost));
  print_table(rows);
}

void print_assumptions(const RoundCount& count) {
  if (count.assumes_sync_interval)
    fmt::print("  H follows from losses: this holds as long as it stays {}\n", count.sync_interval);
  if (count.assumes_local_batch_size)
    fmt::print("  the local batch follows from gradients: this holds as long as it stays {}\n",
               count.local_batch_size);
  if (count.assumes_sync_interval || count.assumes_local_batch_size) fmt::print("\n");
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
    add("bytes", static_cast<double>(bytes_of(cost.traffic.ledger)),
        static_cast<double>(bytes_of(measured.communication)), whole);
  add("compute seconds", cost.compute_seconds, measured.compute_seconds, seconds);
  add("communication seconds without waiting", cost.communication_seconds,
      measured.communication_seconds - measured.waiting_seconds, seconds);
  add("evaluation seconds", cost.evaluation_seconds, measured.evaluation_seconds, seconds);
  add("seconds", cost.seconds(), measured.seconds, seconds);
  print_table(rows);
  fmt::print("  the run had {}; worker 0 waited {} s for others\n", plural(measured.ranks, "rank"),
             seconds(measured.waiting_seconds));
}

}  // namespace

void print_forecast(const RunForecast& run, const std::optional<MeasuredRun>& measured) {
  print_setting(run);
  print_memory(run.memory);
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
  constexpr double kMebibyte = 1 << 20;
  std::vector<TextRow> rows{
      {"cell", "H", "rounds", "bytes", "MiB of a rank", "communication s", "total s"}};
  double all = 0;
  bool assumes = false;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunCost& cost = runs[i].cost;
    all += cost.seconds();
    assumes = assumes || cost.count.assumes_sync_interval || cost.count.assumes_local_batch_size;
    rows.push_back({fmt::format("{} {}", i + 1, cell_name(cells[i].coordinates)),
                    number(cost.count.sync_interval), number(cost.count.rounds),
                    number(bytes_of(cost.traffic.ledger)),
                    decimal(static_cast<double>(runs[i].memory.total()) / kMebibyte),
                    seconds(cost.communication_seconds), seconds(cost.seconds())});
  }
  print_table(rows);
  fmt::print("  {} cells one after the other: {} s\n", runs.size(), seconds(all));
  if (assumes)
    fmt::print(
        "  where H or the local batch follow from losses and gradients, this holds as long as "
        "they stay what they are first\n");
}

}  // namespace localbatch
