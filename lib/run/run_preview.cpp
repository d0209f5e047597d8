#include "run/run_preview.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "comm/agreement.h"
#include "core/error.h"
#include "run/prepared_run.h"
#include "run/run_experiment.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

/// Throws an InputError for a folder that holds something else.
RunStatus status_of(const CellPreview& cell) {
  return status_of_folder(cell.run.folder, cell.run.settings);
}

/// A checkpoint that is damaged is for the list of what is wrong with the cell.
std::int64_t round_to_go_on_after(const CellPreview& cell) {
  if (cell.status != RunStatus::kUnfinished) return 0;
  try {
    const auto checkpoint = newest_checkpoint(cell.run.folder, cell.run.experiment.workers);
    return checkpoint ? checkpoint->facts.round : 0;
  } catch (const InputError&) {
    return 0;
  }
}

/// A run refuses a sweep as a whole when the folder of a cell holds something else.
std::vector<CellPreview> cells_of_sweep(const RunRequest& request) {
  std::vector<CellPreview> cells;
  std::map<fs::path, int> first_in;
  for (RequestedRun& run : read_requests(request)) {
    CellPreview cell{.number = static_cast<int>(cells.size()) + 1, .run = std::move(run)};
    cell.status = status_of(cell);
    const auto [first, is_first] = first_in.try_emplace(cell.run.folder, cell.number);
    if (!is_first) cell.same_as = first->second;
    cell.skipped = !is_first || (has_ended(cell.status) && !request.force);
    cell.replaces = request.force && cell.status != RunStatus::kMissing;
    cells.push_back(std::move(cell));
  }
  return cells;
}

std::vector<CellPreview> one_cell(const RunRequest& request) {
  CellPreview cell{.number = request.cell.value_or(1), .run = read_request(request)};
  try {
    cell.status = status_of(cell);
    cell.replaces = request.force && cell.status != RunStatus::kMissing;
  } catch (const InputError&) {
    cell.replaces = request.force;  // without force, the list of what is wrong will say so
  }
  cell.skipped = has_ended(cell.status) && request.resume && !request.force;
  std::vector<CellPreview> cells;
  cells.push_back(std::move(cell));
  return cells;
}

}  // namespace

std::vector<CellPreview> preview_run(const RunRequest& request, bool all_cells,
                                     ProcessGroup& processes, const std::vector<RankFacts>& ranks) {
  std::vector<CellPreview> cells;
  agree(processes, [&] {
    if (processes.rank() == 0) cells = all_cells ? cells_of_sweep(request) : one_cell(request);
    return true;
  });
  // Rank 0 leads: what other ranks see of its files may be older.
  const int count = Mailbox(processes).max(static_cast<int>(cells.size()));
  for (int i = 0; i < count; ++i) {
    CellPreview* const cell = processes.rank() == 0 ? &cells[static_cast<std::size_t>(i)] : nullptr;
    // What has ended in a sweep is not started again, not even to find out what is wrong with it.
    const bool starts = cell != nullptr && !(all_cells && cell->skipped);
    const int number = Mailbox(processes).max(starts ? cell->number : 0);
    if (number == 0) continue;
    RunRequest one = request;
    one.cell = number;
    one.resume = request.resume || all_cells;
    Diagnoses found = examine_run(one, processes, ranks);
    if (cell == nullptr) continue;
    cell->found = std::move(found);
    if (!request.force) cell->resumed_round = round_to_go_on_after(*cell);
  }
  return cells;
}

}  // namespace localbatch
