#include "experiment/sweep_status.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "experiment/csv_columns.h"
#include "experiment/experiment_file.h"
#include "experiment/run_folder.h"

namespace localbatch {

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
    return nlohmann::json::parse(read_text(summary)).at("outcome") == "diverged";
  } catch (const nlohmann::json::exception& error) {
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
