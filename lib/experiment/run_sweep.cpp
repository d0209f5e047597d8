#include "experiment/run_sweep.h"

#include "core/error.h"
#include "experiment/agreement.h"
#include "experiment/run_folder.h"

namespace localbatch {

namespace {

void note_failure(const RunRequest& request, const std::exception& error) {
  try {
    const RequestedRun run = read_request(request);
    if (!run.coordinates.empty()) record_failure(run.folder, error.what());
  } catch (const InputError&) {
    return;  // an experiment with a mistake has no folder
  }
}

}  // namespace

RunResult run_cell(const RunRequest& request, ProcessGroup& processes, const RunEvents& events,
                   const std::function<void()>& training_begins) {
  RunEvents noting = events;
  if (events.on_failure)
    noting.on_failure = [&](const std::exception_ptr& failure) {
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& error) {
        note_failure(request, error);
      }
      events.on_failure(failure);
    };
  try {
    return run_experiment(request, processes, noting, training_begins);
  } catch (const FailedElsewhere&) {
    throw;
  } catch (const FolderInUse&) {
    throw;  // it is the other process's
  } catch (const std::exception& error) {
    note_failure(request, error);
    throw;
  }
}

std::vector<CellStatus> cells_to_run(const std::vector<CellStatus>& cells, bool force) {
  std::vector<CellStatus> first, last;
  for (const CellStatus& cell : cells) {
    if (cell.state == CellState::kFailed)
      last.push_back(cell);
    else if (!has_ended(cell) || force)
      first.push_back(cell);
  }
  first.insert(first.end(), last.begin(), last.end());
  return first;
}

SweepResult run_sweep(const RunRequest& request, ProcessGroup& processes,
                      const SweepEvents& events) {
  SweepResult result;
  std::vector<CellStatus> cells;
  agree(processes, [&] {
    if (processes.rank() != 0) return true;
    const std::vector<CellStatus> all = status_of_cells(request);
    events.on_sweep(all);
    for (const CellStatus& cell : all)
      result.diverged = result.diverged || cell.state == CellState::kDiverged;
    cells = cells_to_run(all, request.force);
    return true;
  });
  // Rank 0 leads: what other ranks see of its files may be older.
  for (std::size_t next = 0;; ++next) {
    const int number = Mailbox(processes).max(next < cells.size() ? cells[next].number : 0);
    if (number == 0) return result;
    if (processes.rank() == 0) events.on_cell(cells[next]);
    RunRequest one = request;
    one.cell = number;
    one.resume = true;  // another process may have finished it meanwhile
    bool training = false;
    try {
      const RunResult cell = run_cell(one, processes, events.run, [&training] { training = true; });
      result.stopped = cell.outcome == Outcome::kStopped;
      result.diverged = result.diverged || cell.outcome == Outcome::kDiverged;
      if (processes.rank() == 0) events.on_cell_end(cell);
    } catch (const FailedElsewhere&) {
      continue;
    } catch (const std::exception& error) {
      // Other ranks wait in the middle of their training for one that fails there.
      if (training && processes.num_ranks() > 1) throw;
      events.on_failure(error);
      if (!result.failure) result.failure = std::current_exception();
    }
    if (result.stopped) return result;
  }
}

}  // namespace localbatch
