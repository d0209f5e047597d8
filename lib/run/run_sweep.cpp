#include "run/run_sweep.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "comm/agreement.h"
#include "core/csv.h"
#include "core/error.h"
#include "core/files.h"
#include "experiment/branch.h"
#include "run/requested_run.h"
#include "run/run_experiment.h"
#include "run/run_files.h"
#include "run/run_folder.h"

namespace localbatch {

namespace fs = std::filesystem;

void note_failure(const RunRequest& request, const std::exception& error) {
  if (dynamic_cast<const FailedElsewhere*>(&error) != nullptr) return;
  if (dynamic_cast<const FolderInUse*>(&error) != nullptr) return;
  try {
    const RequestedRun run = read_request(request);
    std::error_code ignored;
    const auto has = [&](const char* name) { return fs::exists(run.folder / name, ignored); };
    // A mistake of a person leaves the folder of a run as it was; a sweep goes on without its cell.
    const bool is_mistake = dynamic_cast<const InputError*>(&error) != nullptr;
    if (has("summary.json")) return;
    if (run.coordinates.empty() && (is_mistake || !has("experiment.yaml"))) return;
    record_failure(run.folder, error.what());
  } catch (const InputError&) {
    return;  // an experiment with a mistake has no folder
  }
}

RunEvents noting_failures(const RunRequest& request, RunEvents events,
                          std::function<void(const std::exception&)> on_failure) {
  if (on_failure)
    events.on_failure = [&request, on_failure = std::move(on_failure)](std::exception_ptr failure) {
      try {
        std::rethrow_exception(std::move(failure));
      } catch (const std::exception& error) {
        note_failure(request, error);
        on_failure(error);
      }
    };
  return events;
}

std::vector<CellProgress> cells_to_run(const std::vector<CellProgress>& cells, bool force) {
  std::vector<CellProgress> first, last;
  std::set<fs::path> folders;
  for (const CellProgress& cell : cells) {
    if (!folders.insert(cell.folder).second) continue;  // the same settings under another name
    if (cell.status == RunStatus::kFailed)
      last.push_back(cell);
    else if (!has_ended(cell.status) || force)
      first.push_back(cell);
  }
  first.insert(first.end(), last.begin(), last.end());
  return first;
}

bool has_diverged_before(const std::vector<CellProgress>& cells, bool force) {
  return !force &&
         std::ranges::find(cells, RunStatus::kDiverged, &CellProgress::status) != cells.end();
}

SweepResult run_sweep(const RunRequest& request, ProcessGroup& processes,
                      const SweepEvents& events) {
  SweepResult result;
  std::vector<CellProgress> cells;
  agree(processes, [&] {
    if (processes.rank() != 0) return true;
    const std::vector<CellProgress> all = progress_of_cells(request);
    events.on_sweep(all);
    result.diverged = has_diverged_before(all, request.force);
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
    const RunEvents cell_events = noting_failures(one, events.run, events.on_training_failure);
    bool training = false;
    try {
      const RunResult cell =
          run_experiment(one, processes, cell_events, [&training] { training = true; });
      result.stopped = cell.outcome == Outcome::kStopped;
      result.diverged = result.diverged || cell.outcome == Outcome::kDiverged;
      if (processes.rank() == 0) events.on_cell_end(cell);
    } catch (const FailedElsewhere&) {
      continue;
    } catch (const std::exception& error) {
      note_failure(one, error);
      // Other ranks wait in the middle of their training for one that fails there, and nobody can
      // go on with a rank that hangs.
      const bool stalled = dynamic_cast<const Stalled*>(&error) != nullptr;
      if (stalled || (training && processes.num_ranks() > 1)) throw;
      events.on_failure(error);
      if (!result.failure) result.failure = std::current_exception();
    }
    if (result.stopped) return result;
  }
}

namespace {

/// Rounds that have ended. A run that has just begun, or that begins anew, has no files yet.
void read_progress(CellProgress& cell) {
  const std::optional<CsvColumns> rounds = columns_if_begun(cell.folder / "rounds.csv");
  const std::optional<CsvColumns> timing = columns_if_begun(cell.folder / "timing.csv");
  if (!rounds || !timing) return;
  const std::vector<double> samples = rounds->positions("samples");
  if (samples.empty()) return;
  cell.samples = static_cast<std::int64_t>(samples.back());
  std::error_code error;
  const auto age =
      fs::file_time_type::clock::now() - fs::last_write_time(cell.folder / "rounds.csv", error);
  if (!error) cell.seconds_since_round = std::chrono::duration<double>(age).count();
  cell.seconds = sum_of(*timing, "total_seconds");
}

/// All that the files of a folder say beside its status.
void read_folder(CellProgress& cell) {
  if (cell.status != RunStatus::kMissing) read_progress(cell);
  cell.in_use = is_in_use(cell.folder);
  const std::optional<std::string> failure = recorded_failure(cell.folder);
  if (failure && !has_ended(cell.status)) {
    cell.status = RunStatus::kFailed;
    cell.failure = *failure;
  }
}

CellProgress progress_of_cell(RequestedRun run, int number) {
  CellProgress cell;
  cell.number = number;
  cell.coordinates = std::move(run.coordinates);
  cell.folder = std::move(run.folder);
  cell.max_samples = run.experiment.method.max_samples;
  cell.status = status_of_folder(cell.folder, run.settings);
  read_folder(cell);
  return cell;
}

}  // namespace

CellProgress progress_of_run(const fs::path& folder) {
  CellProgress cell;
  cell.number = 0;
  cell.folder = folder;
  cell.max_samples = samples_at_end(values_by_place(read_text(folder / "experiment.yaml")));
  cell.status = is_there(folder / "summary.json") ? read_outcome(folder) : RunStatus::kUnfinished;
  read_folder(cell);
  return cell;
}

std::vector<CellProgress> progress_of_cells(const RunRequest& request) {
  std::vector<CellProgress> cells;
  int number = 0;
  for (RequestedRun& run : read_requests(request))
    cells.push_back(progress_of_cell(std::move(run), ++number));
  return cells;
}

std::optional<double> seconds_left(const std::vector<CellProgress>& cells) {
  double seconds = 0, done = 0, left = 0;
  std::set<fs::path> folders;
  for (const CellProgress& cell : cells) {
    if (!folders.insert(cell.folder).second) continue;  // the same settings under another name
    seconds += cell.seconds;
    done += static_cast<double>(cell.samples);
    if (!has_ended(cell.status)) left += static_cast<double>(cell.max_samples - cell.samples);
  }
  if (done == 0) return {};
  return seconds / done * left;
}

}  // namespace localbatch
