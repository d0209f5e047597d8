// Runs in the cells of an experiment file.

#include <doctest/doctest.h>

#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "report/finished_run.h"
#include "report/results.h"
#include "report/run_files.h"
#include "report/table_text.h"
#include "run/requested_run.h"

namespace localbatch {

namespace {

const std::string kFile =
    "experiment: tiny\nworkers: 2\nmax_samples: 64\n"
    "dataset: {name: synthetic, train_samples: 40, test_samples: 20}\n"
    "model: {name: softmax_regression}\nlearning_rate: {peak: 0.01}\n"
    "batch_size: {initial: 4, max: 8}\n";

/// A folder with an experiment file and a place for its results.
struct SweepFixture {
  explicit SweepFixture(const std::string& sweep) { write_text(file(), kFile + sweep); }

  std::filesystem::path file() const { return folder.path() / "tiny.yaml"; }
  std::filesystem::path results() const { return folder.path() / "results"; }

  std::string resolved(int cell) const {
    RunRequest request{.file = file(), .settings = {}, .output = results()};
    request.cell = cell;
    return resolved_yaml(read_request(request).experiment.resolved);
  }

  /// A run whose experiment.yaml has this text.
  void leave(const std::string& name, const std::string& settings, double accuracy,
             int samples = 64) const {
    const std::filesystem::path run = results() / "tiny" / name;
    write_text(run / "experiment.yaml", settings);
    write_text(
        run / "evaluations.csv",
        fmt::format("round,samples,train_loss,test_accuracy\n1,{},1,{}\n", samples, accuracy));
    if (samples >= 64) write_text(run / "summary.json", R"({"outcome": "finished"})");
  }

  Results collect() const {
    return collect_results({.sources = {file()}, .settings = {}, .output = results()});
  }

  ScratchFolder folder;
};

std::string without_line(std::string text, const std::string& begin) {
  const std::size_t at = text.find("\n" + begin);
  REQUIRE(at != std::string::npos);
  return text.erase(at + 1, text.find('\n', at + 1) - at);
}

const std::string kSweep =
    "sweep:\n  schedule:\n    small: {batch_size.initial: 2}\n    large: {batch_size.initial: 8}\n"
    "  sync_interval.H: [16, 4]\n  seed: [1, 2]\n";

}  // namespace

TEST_CASE("branches of a run are no runs of a folder above it, and can be shown from there") {
  const SweepFixture fixture("");
  fixture.leave("run", fixture.resolved(1), 0.5);
  fixture.leave("run/branches/b=8", fixture.resolved(1), 0.25);
  const std::filesystem::path run = fixture.results() / "tiny" / "run";
  CHECK(folders_of_runs(fixture.results()) == std::vector{run});
  CHECK(folders_of_runs(run) == std::vector{run});
  CHECK(folders_of_runs(run / "branches") == std::vector{run / "branches" / "b=8"});
}

TEST_CASE("cells of a file are there whether or not they have run, in the file's order") {
  const SweepFixture fixture(kSweep);
  fixture.leave("any name", fixture.resolved(1), 0.5);
  fixture.leave("half", fixture.resolved(2), 0.5, 32);
  const Results results = fixture.collect();
  CHECK(results.title == "tiny");
  CHECK(results.rows == std::vector<std::string>{"small", "large"});
  CHECK(results.groups == std::vector<std::string>{"H = 16", "H = 4"});
  REQUIRE(results.cells.size() == 4);
  const std::vector<SeedRun>& runs = results.cells[0].runs;
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].cell == 1);
  CHECK(runs[0].run.folder == "tiny/any name");
  CHECK(status_text(runs[0].run) == "finished");
  CHECK(status_text(runs[1].run) == "unfinished, 50 %");
  CHECK(status_text(results.cells[1].runs[0].run) == "missing");
  const TablePage page = page_of(make_table(results, chosen_columns("final_test_accuracy")));
  CHECK(page.notes.empty());
  CHECK(page.runs[1] == "small, H = 16, seed 2: tiny/half (unfinished, 50 %; commit not recorded)");
  CHECK(page.runs[2] == "small, H = 4, seed 1: missing (--cell 3)");
  CHECK(page.tables[0].rows[0][1].text == "1 of 2, 1 unfinished");
  CHECK(page.tables[0].rows[0][2].text == "50.00");
  CHECK(page.tables[0].rows[1][1].text == "0 of 2, 2 missing");
  CHECK(page.tables[0].rows[1][2].text == "-");
}

TEST_CASE("a cell that failed says why, until it has ended") {
  const SweepFixture fixture("sweep: {seed: [1, 2, 3]}\n");
  const std::vector<ExpectedCell> cells =
      expected_cells({.file = fixture.file(), .settings = {}, .output = fixture.results()});
  for (const ExpectedCell& cell : cells) write_text(cell.folder / "failure.txt", "no disk\n");
  fixture.leave(cells[1].folder.filename(), fixture.resolved(2), 0.5, 32);
  fixture.leave(cells[2].folder.filename(), fixture.resolved(3), 0.5);
  const Results results = fixture.collect();
  REQUIRE(results.cells.size() == 1);
  CHECK(status_text(results.cells[0].runs[0].run) == "failed");
  CHECK(results.cells[0].runs[1].run.failure == "no disk");
  CHECK(status_text(results.cells[0].runs[2].run) == "finished");
  // Once, however many runs have it.
  const ResultTable table = make_table(results, chosen_columns("rounds"));
  const TablePage page = page_of(table);
  CHECK(page.notes == std::vector<std::string>{"failed: no disk"});
  CHECK(page.tables[0].rows[0][1].text == "1 of 3, 2 failed");
  CHECK(page.tables[0].rows[0][1].notes == std::vector<int>{1});
  CHECK(contains(page.runs[1], "(failed [1]; "));
}

TEST_CASE("a table of bf16 is made on any CPU") {
  const SweepFixture fixture("precision: bf16\n");
  RunRequest request{.file = fixture.file(),
                     .settings = {"model.name=resnet", "model.depth=20"},
                     .output = fixture.results()};
  request.cpu_has_bfloat16 = false;
  CHECK_THROWS_AS(read_requests(request), InputError);
  CHECK(expected_cells(request).size() == 1);
}

TEST_CASE("runs of other versions and other places of data belong to their cell") {
  const SweepFixture fixture(kSweep);
  std::string old = without_line(fixture.resolved(3), "convolution:");
  old += "forgotten: 7\n";
  old.replace(old.find("experiment: tiny"), 16, "experiment: name");
  fixture.leave("old", old, 0.5);
  const Results results = fixture.collect();
  CHECK(results.cells[1].runs[0].run.folder == "tiny/old");
  CHECK(results.remarks.empty());
}

TEST_CASE("a run on all samples is no result of a file that holds some out, nor the other way") {
  const auto settings = [](const std::string& dataset) {
    return settings_of(parse_yaml("seed: 1\ndataset: {" + dataset + "}\n", "test.yaml"));
  };
  const Settings all = settings("name: synthetic"),
                 some = settings("name: synthetic, validation: 5");
  CHECK(agree(all, settings("name: synthetic, noise: 1")));
  CHECK(agree(some, some));
  CHECK_FALSE(agree(all, some));
  CHECK_FALSE(agree(some, all));
  CHECK_FALSE(agree(some, settings("name: synthetic, validation: 6")));
}

TEST_CASE("a key without a default tells two cells apart, wherever it stands") {
  const auto with = [](const std::string& keys) {
    return settings_of(parse_yaml("seed: 1\ndataset: {name: synthetic}\n" + keys, "test.yaml"));
  };
  const Settings plain = with("");
  int found = 0;
  for (const PartDescription& description : describe_parts()) {
    const std::string part = description.part.substr(0, description.part.find('.'));
    const auto check = [&](const std::string& keys) {
      CAPTURE(keys);
      const Settings other = with(keys);
      const bool is_about_the_run = part != "branches" && part != "checkpoint";
      CHECK(agree(plain, other) != is_about_the_run);
      CHECK(agree(other, plain) != is_about_the_run);
      CHECK(agree(other, other));
      CHECK(differing_keys({plain, other}).empty() != is_about_the_run);
      ++found;
    };
    if (part == "dataset") continue;  // see above
    if (description.may_be_absent) check(part + ": {some: 1}\n");
    for (const Declaration& key : description.keys)
      if (key.may_be_absent)
        check(part.empty() ? key.key + ": 1\n" : part + ": {" + key.key + ": 1}\n");
  }
  CHECK(found >= 9);  // streaming, proximal_term, worker_weights, branch, and keys of parts
}

TEST_CASE("cells of which one has an optional part, and one has not, find their runs") {
  const SweepFixture fixture(
      "sweep:\n  way:\n    plain: {batch_size.max: 8}\n    held: {proximal_term.mu: 0.5}\n"
      "    weighted: {worker_weights.temperature: 0.5}\n");
  for (int cell = 1; cell <= 3; ++cell)
    fixture.leave("of " + std::to_string(cell), fixture.resolved(cell), 0.5);
  const Results results = fixture.collect();
  REQUIRE(results.cells.size() == 3);
  for (std::size_t cell = 0; cell < 3; ++cell)
    CHECK(results.cells[cell].runs[0].run.folder == "tiny/of " + std::to_string(cell + 1));
  CHECK(results.remarks.empty());
  const Results folder = collect_results({.sources = {fixture.results()}});
  CHECK(folder.rows.size() == 3);
}

TEST_CASE("a run with another value of a key belongs to no cell") {
  const SweepFixture fixture("convolution: direct\nsweep: {seed: [1, 2]}\n");
  std::string other = fixture.resolved(2);
  other.replace(other.find("convolution: direct"), 19, "convolution: auto");
  fixture.leave("other", other, 0.5);
  const Results results = fixture.collect();
  CHECK(status_text(results.cells[0].runs[1].run) == "missing");
  CHECK(results.remarks ==
        std::vector<std::string>{"tiny/other was left out: it belongs to no cell of tiny.yaml"});
}

TEST_CASE("a run that did not know a key of the sweep has its default") {
  const SweepFixture fixture("sweep: {batch_size.multiple_of: [2, 1], seed: [1]}\n");
  fixture.leave("old", without_line(fixture.resolved(1), "  multiple_of:"), 0.5);
  const Results results = fixture.collect();
  CHECK(results.rows == std::vector<std::string>{"multiple of 2", "multiple of 1"});
  CHECK(status_text(results.cells[0].runs[0].run) == "missing");
  CHECK(results.cells[1].runs[0].run.folder == "tiny/old");
}

TEST_CASE("what belongs to no cell, and the shorter one of two, is left out with a remark") {
  const SweepFixture fixture("sweep: {seed: [1, 2]}\n");
  std::string other = fixture.resolved(1);
  other.replace(other.find("seed: 1"), 7, "seed: 9");
  fixture.leave("other", other, 0.5);
  fixture.leave("half", fixture.resolved(1), 0.5, 32);
  fixture.leave("whole", fixture.resolved(1), 0.5);
  const Results results = fixture.collect();
  CHECK(results.cells[0].runs[0].run.folder == "tiny/whole");
  CHECK(results.remarks ==
        std::vector<std::string>{
            "cell 1: tiny/half was left out, as tiny/whole has more of the same run",
            "tiny/other was left out: it belongs to no cell of tiny.yaml"});
  fixture.leave("again", fixture.resolved(1), 0.25);
  CHECK(contains(input_error([&] { fixture.collect(); }),
                 "tiny/again and tiny/whole: both are results of cell 1"));
}

TEST_CASE(
    "cells with the same settings show the run that they share, and places tell cells apart") {
  const SweepFixture fixture(
      "sweep: {way: {a: {}, b: {batch_size.max: 8}, kept: {checkpoint.keep_at: [32]}}}\n");
  for (const int cell : {1, 3}) {
    const std::vector<ExpectedCell> cells =
        expected_cells({.file = fixture.file(), .settings = {}, .output = fixture.results()});
    fixture.leave(cells.at(cell - 1).folder.filename().string(), fixture.resolved(cell),
                  0.25 * cell);
  }
  const Results results = fixture.collect();
  CHECK(results.remarks.empty());
  REQUIRE(results.cells.size() == 3);
  const auto accuracy = [&](std::size_t cell) {
    return results.cells[cell].runs[0].run.evaluations->numbers("test_accuracy").back();
  };
  CHECK(accuracy(0) == 0.25);
  CHECK(accuracy(1) == 0.25);
  CHECK(accuracy(2) == 0.75);
}

TEST_CASE("a run that was done again to keep a checkpoint is the same run") {
  const SweepFixture fixture("sweep: {seed: [1, 2]}\n");
  fixture.leave("first", fixture.resolved(1), 0.5);
  fixture.leave("later", fixture.resolved(1) + "checkpoint:\n  keep_at: [32]\n", 0.5);
  for (const char* const name : {"first", "later"})
    write_text(fixture.results() / "tiny" / name / "rounds.csv", "round,samples\n1,64\n");
  const Results results = fixture.collect();
  CHECK(results.cells[0].runs[0].run.folder == "tiny/first");
  CHECK(results.remarks ==
        std::vector<std::string>{
            "cell 1: tiny/later was left out, as tiny/first has the same results"});
  const Results folder = collect_results({.sources = {fixture.results()}});
  CHECK(folder.cells[0].runs.size() == 1);
  REQUIRE(folder.remarks.size() == 1);
  CHECK(contains(folder.remarks[0], "later was left out, as "));
}

TEST_CASE("rows of two files with the same name are told apart") {
  const SweepFixture fixture("sweep: {seed: [1]}\n");
  write_text(fixture.folder.path() / "b.yaml", "experiment: other\n" + kFile.substr(17));
  const Results results =
      collect_results({.sources = {fixture.file(), fixture.folder.path() / "b.yaml"},
                       .settings = {},
                       .output = fixture.results()});
  CHECK(results.rows == std::vector<std::string>{"constant 4 (tiny)", "constant 4 (other)"});
}

namespace {

using Names = std::vector<std::string>;

/// How many runs each row has.
std::vector<std::size_t> runs_of_rows(const Results& results) {
  std::vector<std::size_t> runs(results.rows.size());
  for (const ResultCell& cell : results.cells) runs.at(cell.row) += cell.runs.size();
  return runs;
}

/// The results of tiny.yaml with this sweep and of another file of the same experiment.
Results with_file(const SweepFixture& fixture, const std::string& text) {
  const std::filesystem::path other = fixture.folder.path() / "other.yaml";
  write_text(other, text);
  return collect_results(
      {.sources = {fixture.file(), other}, .settings = {}, .output = fixture.results()});
}

}  // namespace

TEST_CASE("cells with the same name and other settings are no seeds of one row") {
  const Results results =
      SweepFixture(
          "sweep:\n"
          "  - {schedule: {norm test: {learning_rate.peak: 0.2}}, seed: [1, 2]}\n"
          "  - {schedule: {norm test: {learning_rate.peak: 0.02}}, seed: [3]}\n"
          "  - {schedule: {plain: {learning_rate.peak: 0.02}}, seed: [4]}\n")
          .collect();
  CHECK(results.rows == Names{"norm test, peak 0.2", "norm test, peak 0.02", "plain"});
  CHECK(runs_of_rows(results) == std::vector<std::size_t>{2, 1, 1});
}

TEST_CASE("a row may have a learning rate of its own for each H") {
  const Results results =
      SweepFixture(
          "sweep:\n"
          "  - {schedule: {a: {learning_rate.peak: 0.2}}, sync_interval.H: [4], seed: [1, 2]}\n"
          "  - {schedule: {a: {learning_rate.peak: 0.1}}, sync_interval.H: [8], seed: [1, 2]}\n")
          .collect();
  CHECK(results.rows == Names{"a"});
  CHECK(results.cells.size() == 2);
}

TEST_CASE("rows of two keys whose last words are the same show the whole key") {
  const Results results =
      SweepFixture(
          "inner_optimizer: {name: sgd, momentum: 0.9}\nouter_optimizer: {name: nesterov}\n"
          "sweep:\n"
          "  - {inner_optimizer.momentum: [0.5], seed: [1, 2, 9]}\n"
          "  - {outer_optimizer.momentum: [0.5], seed: [1, 4, 5]}\n")
          .collect();
  CHECK(results.rows == Names{"momentum 0.5, inner_optimizer.momentum 0.5",
                              "momentum 0.5, inner_optimizer.momentum 0.9"});
  CHECK(runs_of_rows(results) == std::vector<std::size_t>{3, 3});
}

TEST_CASE("the same settings in two blocks are one row, on however many threads") {
  const Results results =
      SweepFixture(
          "sweep:\n"
          "  - {way: {a: {batch_size.max: 8}}, sync_interval.H: [4, 8], seed: [1, 2]}\n"
          "  - {way: {a: {threads_per_worker: 2}}, sync_interval.H: [4], seed: [3]}\n")
          .collect();
  CHECK(results.rows == Names{"a"});
  REQUIRE(results.cells.size() == 2);
  CHECK(results.cells[0].runs.size() == 3);
}

TEST_CASE("a cell that names no file is told apart from one that does") {
  const ScratchFolder scratch;
  write_text(scratch.path() / "values", "some");
  const Results results = SweepFixture(
                              "sweep:\n"
                              "  - {way: {a: {batch_size.max: 8}}, seed: [1]}\n"
                              "  - {way: {a: {model.initial: " +
                              (scratch.path() / "values").string() + "}}, seed: [2]}\n")
                              .collect();
  REQUIRE(results.rows.size() == 2);
  CHECK(results.rows[0] == "a, initial hash none");
  CHECK(results.rows[1].starts_with("a, initial hash "));
}

TEST_CASE("two files of one experiment share the rows whose settings are the same, and no others") {
  const SweepFixture fixture("sweep: {seed: [1, 2]}\n");
  const Results same = with_file(fixture, kFile + "sweep: {seed: [3, 4]}\n");
  CHECK(same.rows == Names{"constant 4 (tiny)"});
  CHECK(runs_of_rows(same) == std::vector<std::size_t>{4});
  const Results other =
      with_file(fixture, kFile + "sweep: {learning_rate.peak: [0.02], seed: [3, 4]}\n");
  CHECK(other.rows == Names{"constant 4", "peak 0.02"});
  std::string text = kFile + "sweep: {seed: [3, 4]}\n";
  text.replace(text.find("peak: 0.01"), 10, "peak: 0.02");
  const Results slower = with_file(fixture, text);
  CHECK(slower.rows == Names{"constant 4 (tiny), peak 0.01", "constant 4 (tiny), peak 0.02"});
  CHECK(runs_of_rows(slower) == std::vector<std::size_t>{2, 2});
}

TEST_CASE("rules for H of two files with the same name are told apart") {
  const std::string rule = "sync_interval: {name: post_local, H: 4, start_samples: 32}\n";
  const SweepFixture fixture(rule + "sweep: {seed: [1]}\n");
  std::string text = kFile + rule + "sweep: {seed: [2]}\n";
  text.replace(text.find("start_samples: 32"), 17, "start_samples: 16");
  const Results results = with_file(fixture, text);
  CHECK(results.rows.size() == 1);
  CHECK(results.groups == Names{"post local, start samples 32", "post local, start samples 16"});
}

TEST_CASE("a sweep that itself gives a row the name of another one is refused") {
  const SweepFixture fixture(
      "sweep:\n"
      "  - {way: {a: {learning_rate.peak: 0.1}}, seed: [1]}\n"
      "  - {way: {a: {learning_rate.peak: 0.2}}, seed: [2]}\n"
      "  - {way: {'a, peak 0.1': {batch_size.max: 16}}, seed: [3]}\n");
  const std::string refused = input_error([&] { fixture.collect(); });
  CHECK(contains(refused, "cell 1 and cell 3: both are 'a, peak 0.1', and differ: "));
}

TEST_CASE("a branch ends before the run that it is of") {
  const ScratchFolder folder;
  const auto read = [&folder](int samples) {
    write_run(folder.path(),
              {.folder = "b",
               .outcome = "",
               .rounds_left = 2,
               .more = fmt::format("branch:\n  at: 64\n  local_batch_size: 8\n  samples: {}\n"
                                   "  repeat: 1\n",
                                   samples)});
    return read_finished_run(folder.path() / "b", "b");
  };
  CHECK(read(64).status == RunStatus::kFinished);
  CHECK(status_text(read(96)) == "unfinished, 80 %");
}

}  // namespace localbatch
