#include "report/results.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace localbatch {

namespace {

std::size_t place_of(const std::string& name, std::vector<std::string>& names) {
  const auto found = std::ranges::find(names, name);
  const auto place = static_cast<std::size_t>(found - names.begin());
  if (found == names.end()) names.push_back(name);
  return place;
}

std::string name_of(const SeedRun& run) {
  return run.cell > 0 ? fmt::format("cell {}", run.cell) : run.run.folder;
}

}  // namespace

Results arranged(std::string title, std::vector<PlacedRun> runs, std::vector<std::string> remarks) {
  Results results{.title = std::move(title),
                  .rows = {},
                  .groups = {},
                  .cells = {},
                  .remarks = std::move(remarks)};
  for (PlacedRun& placed : runs) {
    const std::size_t row = place_of(placed.row, results.rows);
    const std::size_t group = place_of(placed.group, results.groups);
    auto cell = std::ranges::find_if(results.cells, [row, group](const ResultCell& other) {
      return other.row == row && other.group == group;
    });
    if (cell == results.cells.end())
      cell = results.cells.insert(cell, {.row = row, .group = group, .runs = {}});
    for (const SeedRun& other : cell->runs)
      if (other.seed == placed.seed_run.seed)
        fail_input("{} and {}: both are {}, {}, seed {}; expected one of them", name_of(other),
                   name_of(placed.seed_run), placed.row, placed.group, other.seed);
    cell->runs.push_back(std::move(placed.seed_run));
  }
  std::ranges::sort(results.cells, [](const ResultCell& a, const ResultCell& b) {
    return std::pair(a.row, a.group) < std::pair(b.row, b.group);
  });
  return results;
}

}  // namespace localbatch
