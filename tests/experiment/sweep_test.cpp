#include "experiment/sweep.h"

#include <doctest/doctest.h>

#include "experiment/fixtures.h"

namespace localbatch {

namespace {

const std::string kBase =
    "workers: 4\n"
    "sync_interval: {name: constant, H: 2}\n"
    "batch_size: {initial: 8, max: 64}\n";

std::vector<SweepCell> cells_of(const std::string& sweep) {
  return sweep_cells(parse_yaml(kBase + sweep, "f.yaml"));
}

const Node& at_path(const Node& node, const std::vector<std::string>& path) {
  const Node* found = &node;
  for (const std::string& key : path) {
    REQUIRE(found->find(key) != nullptr);
    found = &found->find(key)->value;
  }
  return *found;
}

std::vector<std::string> names_of(const std::vector<SweepCell>& cells) {
  std::vector<std::string> names;
  for (const SweepCell& cell : cells) names.push_back(cell_name(cell.coordinates));
  return names;
}

}  // namespace

TEST_CASE("a file without a sweep is one cell") {
  const std::vector<SweepCell> cells = cells_of("");
  REQUIRE(cells.size() == 1);
  CHECK(cells[0].coordinates.empty());
  CHECK(cell_name(cells[0].coordinates).empty());
  CHECK(at_path(cells[0].experiment, {"workers"}).scalar == "4");
}

TEST_CASE("a sweep is the product of its lists, and the last one changes fastest") {
  const auto cells = cells_of("sweep:\n  sync_interval.H: [1, 8]\n  seed: [1, 2, 3]\n");
  CHECK(names_of(cells) == std::vector<std::string>{"H=1-seed=1", "H=1-seed=2", "H=1-seed=3",
                                                    "H=8-seed=1", "H=8-seed=2", "H=8-seed=3"});
  const Node& fifth = cells.at(4).experiment;
  CHECK(fifth.find("sweep") == nullptr);
  CHECK(at_path(fifth, {"sync_interval", "H"}).scalar == "8");
  CHECK(at_path(fifth, {"sync_interval", "name"}).scalar == "constant");
  CHECK(at_path(fifth, {"seed"}).scalar == "2");
  CHECK(at_path(fifth, {"batch_size", "initial"}).scalar == "8");
}

TEST_CASE("an axis of named mappings sets several keys, and whole parts") {
  const auto cells = cells_of(
      "sweep:\n"
      "  schedule:\n"
      "    constant 32: {batch_size.initial: 32, batch_size_controller: {name: fixed}}\n"
      "    norm test: {batch_size_controller: {name: norm_test, eta: 0.8}}\n"
      "  sync_interval.H: [4]\n");
  REQUIRE(names_of(cells) ==
          std::vector<std::string>{"schedule=constant_32-H=4", "schedule=norm_test-H=4"});
  CHECK(cells[0].coordinates[0] == SweepCell::Coordinate{"schedule", "constant 32"});
  CHECK(at_path(cells[0].experiment, {"batch_size", "initial"}).scalar == "32");
  CHECK(at_path(cells[0].experiment, {"batch_size", "max"}).scalar == "64");
  CHECK(at_path(cells[1].experiment, {"batch_size", "initial"}).scalar == "8");
  CHECK(at_path(cells[1].experiment, {"batch_size_controller", "eta"}).scalar == "0.8");
}

TEST_CASE("a list of mappings has the cells of each") {
  const auto cells = cells_of(
      "sweep:\n"
      "  - {seed: [1], workers: [2, 4]}\n"
      "  - {seed: [2], workers: [4]}\n");
  CHECK(names_of(cells) ==
        std::vector<std::string>{"seed=1-workers=2", "seed=1-workers=4", "seed=2-workers=4"});
}

TEST_CASE("values of an axis may be mappings and lists") {
  const auto cells = cells_of(
      "sweep:\n  batch_size_controller: [{name: fixed}, {name: stagewise, sizes: [1, 2]}]\n");
  REQUIRE(cells.size() == 2);
  CHECK(cells[1].coordinates[0].value == "{name: stagewise, sizes: [1, 2]}");
  CHECK(at_path(cells[1].experiment, {"batch_size_controller", "sizes"}).items.size() == 2);
}

TEST_CASE("values of a sweep keep their place in the file, for messages") {
  const auto cells = cells_of("sweep:\n  seed: [1, x]\n");
  CHECK(to_string(at_path(cells.at(1).experiment, {"seed"}).where) == "f.yaml:5:13");
}

TEST_CASE("a choice without keys is the file as it is") {
  const auto cells = cells_of("sweep: {rows: {plain: {}, longer: {sync_interval.H: 8}}}\n");
  CHECK(names_of(cells) == std::vector<std::string>{"rows=plain", "rows=longer"});
  CHECK(at_path(cells.at(0).experiment, {"sync_interval", "H"}).scalar == "2");
}

TEST_CASE("mistakes in a sweep are refused with their place") {
  const auto message = [](const std::string& sweep) {
    return input_error([&] { cells_of(sweep); });
  };
  CHECK(message("sweep: 3\n") ==
        "f.yaml:4:8: sweep: found '3', expected a mapping of keys to lists of values");
  CHECK(message("sweep: {}\n") ==
        "f.yaml:4:8: sweep: found a mapping, expected a mapping of keys to lists of values");
  CHECK(message("sweep: {seed: 3}\n") ==
        "f.yaml:4:15: sweep: seed: found '3', expected a list of values, or a mapping of names to "
        "mappings");
  CHECK(message("sweep: {seed: []}\n") ==
        "f.yaml:4:15: sweep: seed: found no value, expected at least one");
  CHECK(message("sweep: {rows: {a: 3}}\n") ==
        "f.yaml:4:19: sweep: rows: a: found '3', expected a mapping of keys to values");
  CHECK(message("sweep: {seed: [1, 1]}\n") == "f.yaml:4:8: sweep: found the cell seed=1 twice");
  CHECK(message("sweep: {workers.x: [1]}\n") ==
        "f.yaml:4:9: sweep: workers.x: '4' is not a mapping, it has no key 'x'");
  CHECK(message("sweep: {a..b: [1]}\n") ==
        "f.yaml:4:9: sweep: found 'a..b', expected a key such as sync_interval.H");
  CHECK(message("sweep: {sweep: [1]}\n") ==
        "f.yaml:4:9: sweep: found 'sweep', expected a key such as sync_interval.H");
  CHECK(message("sweep: {batch_size.initial: [1], rows: {a: {batch_size: {max: 3}}}}\n") ==
        "f.yaml:4:45: sweep: batch_size: the same cell sets batch_size.initial in f.yaml:4:9");
  const std::string ten = ": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]";
  CHECK(message("sweep: {a" + ten + ", b" + ten + ", c" + ten + ", d" + ten + ", e: [1, 2]}\n") ==
        "f.yaml:4:8: sweep: found more than 10000 cells");
}

TEST_CASE("a sweep whose cells would not fit in memory is refused before they are made") {
  std::string text = "sizes: [0";
  for (int i = 1; i < 5000; ++i) text += ",1";
  text += "]\nsweep: {seed: [0";
  for (int i = 1; i < 1000; ++i) text += "," + std::to_string(i);
  CHECK(input_error([&] { cells_of(text + "]}\n"); }) ==
        "f.yaml:5:8: sweep: found 1000 cells of 5009 values, allowed are at most 4000000 values");
}

}  // namespace localbatch
