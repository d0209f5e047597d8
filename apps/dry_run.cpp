#include "dry_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <utility>

#include "commands.h"
#include "core/text.h"
#include "doctor/rank_facts.h"
#include "experiment/sweep.h"
#include "plan/forecast.h"
#include "printers.h"
#include "run/run_experiment.h"
#include "run/run_preview.h"

namespace localbatch {

namespace {

/// The ranks where they are, for all that a forecast says beside seconds.
Machine machine_of(const ProcessGroup& processes, const std::vector<RankFacts>& ranks,
                   int workers) {
  Machine machine{.placement = {.workers = workers, .hosts = processes.hosts()},
                  .cores_of_host = 0};
  const std::vector<int> shares = shares_of_cores(ranks);
  for (std::size_t i = 0; i < ranks.size(); ++i)
    if (ranks[i].host == ranks.front().host) machine.cores_of_host += shares[i];
  machine.speed = 1;  // rounds, bytes and memory do not depend on it; measuring takes a second
  return machine;
}

std::string what_happens(const CellPreview& cell) {
  if (has_refusal(cell.found)) return "be refused";
  if (cell.same_as > 0) return fmt::format("be skipped, as it is cell {}", cell.same_as);
  if (cell.skipped)
    return cell.status == RunStatus::kDiverged ? "be skipped, has diverged"
                                               : "be skipped, has finished";
  if (cell.replaces) return "replace results";
  if (cell.resumed_round > 0) return fmt::format("go on after round {}", cell.resumed_round);
  return cell.status == RunStatus::kUnfinished ? "begin anew" : "begin";
}

/// The cells as a table. Returns whether its rounds and bytes are those of first batch sizes and H.
bool print_cells(const std::vector<CellPreview>& cells, const ProcessGroup& processes,
                 const std::vector<RankFacts>& ranks) {
  bool assumes = false;
  std::vector<TextRow> rows{
      {"cell", "would", "rounds", "sent", "memory of a rank", "checkpoint", "folder"}};
  for (const CellPreview& cell : cells) {
    TextRow& row = rows.emplace_back();
    row = {fmt::format("{} {}", cell.number, cell_name(cell.run.coordinates)), what_happens(cell)};
    if (cell.skipped || has_refusal(cell.found)) {
      row.insert(row.end(), {"-", "-", "-", "-"});
    } else {
      const RunForecast run = forecast_run(
          cell.run.experiment, machine_of(processes, ranks, cell.run.experiment.workers));
      const RoundCount& count = run.cost.count;
      assumes = assumes || count.assumes_sync_interval || count.assumes_local_batch_size;
      row.insert(row.end(), {fmt::format("{}", count.rounds),
                             size_text(static_cast<std::uint64_t>(run.cost.traffic.ledger.bytes())),
                             size_text(run.memory.total()), size_text(run.checkpoint_bytes)});
    }
    row.push_back(cell.run.folder.string());
  }
  print("{}\n", left_aligned(rows));
  return assumes;
}

/// Each once, though many cells may share it; what is well is for the doctor to tell.
void print_findings(const std::vector<CellPreview>& cells) {
  std::vector<std::pair<Diagnosis, std::vector<int>>> all;
  for (const CellPreview& cell : cells)
    for (const Diagnosis& found : cell.found) {
      if (found.severity == Severity::kOk) continue;
      const auto said = std::ranges::find_if(all, [&found](const auto& other) {
        return other.first.severity == found.severity && other.first.line() == found.line();
      });
      if (said == all.end())
        all.push_back({found, {cell.number}});
      else
        said->second.push_back(cell.number);
    }
  for (const auto& [found, numbers] : all) {
    const std::string where = cells.size() == 1
                                  ? ""
                                  : fmt::format("{} {}: ", numbers.size() == 1 ? "cell" : "cells",
                                                number_ranges(numbers));
    print_finding(found, where);
  }
  if (!all.empty()) print("\n");
}

}  // namespace

int dry_run(const RunRequest& request, bool all_cells, ProcessGroup& processes) {
  const std::vector<RankFacts> ranks = gather_facts(processes);
  const std::vector<CellPreview> cells = preview_run(request, all_cells, processes, ranks);
  if (processes.rank() != 0) return kSuccess;
  if (print_cells(cells, processes, ranks))
    print(
        "rounds and bytes of whole runs, as long as the local batch and H that follow from "
        "gradients\nand losses stay what they are first\n\n");
  print_findings(cells);
  const auto refused =
      std::ranges::count_if(cells, [](const CellPreview& cell) { return has_refusal(cell.found); });
  const auto skipped = std::ranges::count_if(cells, &CellPreview::skipped);
  if (refused > 0)
    print("a run would be refused{}\n",
          cells.size() == 1 ? "" : " for " + counted(refused, "cell"));
  else if (skipped == std::ssize(cells))
    print("a run would find nothing to do\n");
  else
    print("a run would start\n");
  return refused > 0 ? kInputFailure : kSuccess;
}

}  // namespace localbatch
