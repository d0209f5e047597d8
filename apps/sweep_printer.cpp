#include "sweep_printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "duration.h"
#include "text_table.h"

namespace localbatch {

namespace {

std::string_view name_of(CellState state) {
  constexpr std::array<std::string_view, 5> kNames{"waiting", "started", "finished", "diverged",
                                                   "failed"};
  return kNames[static_cast<std::size_t>(state)];
}

/// The part of a key that a person calls an axis by.
std::string short_name(const std::string& axis) { return axis.substr(axis.rfind('.') + 1); }

std::string progress_of(const CellStatus& cell) {
  if (cell.state == CellState::kFailed) return cell.failure;
  if (cell.samples == 0) return "";
  const auto done = static_cast<double>(cell.samples), all = static_cast<double>(cell.max_samples);
  if (cell.state != CellState::kStarted) return "in " + duration(cell.seconds);
  std::string text = fmt::format("{:.0f} %, {} left", 100 * done / all,
                                 duration(cell.seconds / done * std::max(0.0, all - done)));
  if (cell.seconds_since_round)
    text += fmt::format(", last round {} ago", duration(*cell.seconds_since_round));
  return text;
}

/// Cells of products with other axes have other coordinates.
std::vector<std::string> axes_of(const std::vector<CellStatus>& cells) {
  std::vector<std::string> axes;
  for (const CellStatus& cell : cells)
    for (const auto& coordinate : cell.coordinates)
      if (std::ranges::find(axes, coordinate.axis) == axes.end()) axes.push_back(coordinate.axis);
  return axes;
}

TextRow row_of(const CellStatus& cell, const std::vector<std::string>& axes) {
  TextRow row{fmt::format("{}", cell.number)};
  for (const std::string& axis : axes) {
    const auto found = std::ranges::find(cell.coordinates, axis, &SweepCell::Coordinate::axis);
    row.push_back(found == cell.coordinates.end() ? "" : found->value);
  }
  row.emplace_back(name_of(cell.state));
  row.push_back(progress_of(cell));
  return row;
}

std::ptrdiff_t count(const std::vector<CellStatus>& cells, CellState state) {
  return std::ranges::count(cells, state, &CellStatus::state);
}

}  // namespace

void print_sum(const std::vector<CellStatus>& cells) {
  const std::ptrdiff_t to_do =
      count(cells, CellState::kWaiting) + count(cells, CellState::kStarted);
  fmt::print("{} cell{}", cells.size(), cells.size() == 1 ? "" : "s");
  const char* separator = ": ";
  for (const CellState state : {CellState::kFinished, CellState::kDiverged, CellState::kFailed}) {
    if (count(cells, state) == 0) continue;
    fmt::print("{}{} {}", separator, count(cells, state), name_of(state));
    separator = ", ";
  }
  if (to_do > 0) fmt::print("{}{} to do", separator, to_do);
  const std::optional<double> left = seconds_left(cells);
  if (left && *left > 0)
    fmt::print("; {} left at the speed so far, one after the other", duration(*left));
  fmt::print("\n");
}

void print_cells(const std::vector<CellStatus>& cells) {
  const std::vector<std::string> axes = axes_of(cells);
  TextRow head{"cell"};
  for (const std::string& axis : axes) head.push_back(short_name(axis));
  head.insert(head.end(), {"state", "progress"});
  std::vector<TextRow> rows{head};
  for (const CellStatus& cell : cells) rows.push_back(row_of(cell, axes));
  print_left_aligned(rows);
  print_sum(cells);
}

std::string title_of(const CellStatus& cell) {
  std::string title = fmt::format("cell {}", cell.number);
  const char* separator = " (";
  for (const auto& [axis, value] : cell.coordinates) {
    title += fmt::format("{}{}={}", separator, short_name(axis), value);
    separator = ", ";
  }
  return cell.coordinates.empty() ? title : title + ")";
}

SweepEvents SweepPrinter::events() {
  return {.run = run_.events(),
          .on_sweep =
              [](const std::vector<CellStatus>& cells) {
                print_sum(cells);
                std::fflush(stdout);
              },
          .on_cell =
              [](const CellStatus& cell) {
                fmt::print("\n{}\n", title_of(cell));
                std::fflush(stdout);
              },
          .on_cell_end = [this](const RunResult& result) { run_.print_result(result); },
          .on_failure =
              [](const std::exception& error) {
                fmt::print(stderr, "localbatch: {}\n", error.what());
              }};
}

}  // namespace localbatch
