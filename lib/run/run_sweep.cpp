#include "run/run_sweep.h"

#include <chrono>

#include "comm/agreement.h"
#include "core/csv.h"
#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "experiment/experiment_file.h"
#include "run/run_folder.h"

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

namespace fs = std::filesystem;

namespace {

/// Rounds that have ended. A run that has just begun, or that begins anew, has no files yet.
void read_progress(CellStatus& cell) {
  std::error_code error;
  if (!fs::exists(cell.folder / "rounds.csv", error) ||
      !fs::exists(cell.folder / "timing.csv", error))
    return;
  const std::vector<double> samples = CsvColumns(cell.folder / "rounds.csv").all_numbers("samples");
  if (samples.empty()) return;
  cell.samples = static_cast<std::int64_t>(samples.back());
  const auto age =
      fs::file_time_type::clock::now() - fs::last_write_time(cell.folder / "rounds.csv", error);
  if (!error) cell.seconds_since_round = std::chrono::duration<double>(age).count();
  cell.seconds = sum_of(CsvColumns(cell.folder / "timing.csv"), "total_seconds");
}

bool has_diverged(const fs::path& summary) {
  try {
    return Json::parse(read_text(summary)).at("outcome") == "diverged";
  } catch (const Json::exception& error) {
    fail_input("{}: {}", summary.string(), error.what());
  }
}

CellStatus status_of_cell(RequestedRun run, int number) {
  CellStatus cell;
  cell.number = number;
  cell.coordinates = std::move(run.coordinates);
  cell.folder = std::move(run.folder);
  cell.max_samples = run.experiment.method.max_samples;
  switch (state_of_folder(cell.folder, resolved_yaml(run.experiment.resolved))) {
    case FolderState::kEmpty:
      break;
    case FolderState::kUnfinished:
      cell.state = CellState::kStarted;
      break;
    case FolderState::kFinished:
      cell.state =
          has_diverged(cell.folder / "summary.json") ? CellState::kDiverged : CellState::kFinished;
      break;
  }
  if (cell.state != CellState::kWaiting) read_progress(cell);
  const std::optional<std::string> failure = recorded_failure(cell.folder);
  if (failure && !has_ended(cell)) {
    cell.state = CellState::kFailed;
    cell.failure = *failure;
  }
  return cell;
}

}  // namespace

std::vector<CellStatus> status_of_cells(const RunRequest& request) {
  std::vector<CellStatus> cells;
  int number = 0;
  for (RequestedRun& run : read_requests(request))
    cells.push_back(status_of_cell(std::move(run), ++number));
  return cells;
}

bool has_ended(const CellStatus& cell) {
  return cell.state == CellState::kFinished || cell.state == CellState::kDiverged;
}

std::optional<double> seconds_left(const std::vector<CellStatus>& cells) {
  double seconds = 0, done = 0, left = 0;
  for (const CellStatus& cell : cells) {
    seconds += cell.seconds;
    done += static_cast<double>(cell.samples);
    if (!has_ended(cell)) left += static_cast<double>(cell.max_samples - cell.samples);
  }
  if (done == 0) return {};
  return seconds / done * left;
}

}  // namespace localbatch
