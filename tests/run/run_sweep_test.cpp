#include "run/run_sweep.h"

#include <doctest/doctest.h>

#include "comm/agreement.h"
#include "comm/thread_process_group.h"
#include "core/error.h"
#include "run/requested_run.h"
#include "run/run_fixtures.h"
#include "run/run_folder.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

/// Four cells: two that train, one without its data, one that diverges.
std::string sweep_of(const fs::path& data) {
  return tiny_experiment() +
         "sweep:\n"
         "  case:\n"
         "    one: {sync_interval.H: 2}\n"
         "    without data: {dataset: {name: cifar10, root: '" +
         data.string() +
         "'}}\n"
         "    diverges: {learning_rate: {name: constant, peak: 1.0e6}, "
         "inner_optimizer.weight_decay: 1.0, "
         "max_samples: 100000}\n"
         "    other: {sync_interval.H: 3}\n";
}

struct Watched {
  SweepResult result;
  std::vector<int> cells;             ///< in the order in which they began
  std::vector<std::string> failures;  ///< what was said of them
};

Watched sweep(const RunRequest& request) {
  Watched watched;
  SweepEvents events;
  events.on_cell = [&](const CellProgress& cell) { watched.cells.push_back(cell.number); };
  events.on_failure = [&](const std::exception& error) {
    watched.failures.emplace_back(error.what());
  };
  const std::unique_ptr<ProcessGroup> processes = single_process();
  watched.result = run_sweep(request, *processes, events);
  return watched;
}

std::vector<RunStatus> statuses_of(const RunRequest& request) {
  std::vector<RunStatus> statuses;
  for (const CellProgress& cell : progress_of_cells(request)) statuses.push_back(cell.status);
  return statuses;
}

}  // namespace

TEST_CASE("a cell that cannot go on is recorded and the others go on") {
  const ScratchFolder scratch;
  const fs::path data = scratch.path() / "nowhere";
  const RunRequest asked = request(scratch, sweep_of(data), "out");
  const Watched first = sweep(asked);
  CHECK(first.cells == std::vector{1, 2, 3, 4});
  REQUIRE(first.failures.size() == 1);
  CHECK(contains(first.failures[0], "nowhere"));
  CHECK(first.result.diverged);
  CHECK_FALSE(first.result.stopped);
  CHECK_THROWS_AS(std::rethrow_exception(first.result.failure), InputError);

  const std::vector<CellProgress> cells = progress_of_cells(asked);
  CHECK(statuses_of(asked) == std::vector{RunStatus::kFinished, RunStatus::kFailed,
                                          RunStatus::kDiverged, RunStatus::kFinished});
  CHECK(cells[1].failure == first.failures[0]);
  CHECK(cells[0].samples >= 600);
  CHECK(cells[0].seconds > 0);
}

TEST_CASE("a sweep that is repeated runs no finished cell again, and failed ones last") {
  const ScratchFolder scratch;
  const RunRequest asked = request(scratch, sweep_of(scratch.path() / "nowhere"), "out");
  sweep(asked);
  std::vector<CellProgress> cells = progress_of_cells(asked);
  const auto written = fs::last_write_time(cells[0].folder / "rounds.csv");
  fs::remove_all(cells[3].folder);
  const Watched second = sweep(asked);
  CHECK(second.cells == std::vector{4, 2});
  CHECK(second.result.diverged);  // the third cell, in the earlier start
  CHECK(fs::last_write_time(cells[0].folder / "rounds.csv") == written);

  RunRequest forced = asked;
  forced.force = true;
  CHECK(sweep(forced).cells == std::vector{1, 3, 4, 2});
}

TEST_CASE("cells with the same settings are one run, and all have ended when it has") {
  const ScratchFolder scratch;
  const RunRequest asked = request(scratch,
                                   tiny_experiment() +
                                       "sweep:\n"
                                       "  case:\n"
                                       "    one: {sync_interval.H: 2}\n"
                                       "    the same: {sync_interval: {name: constant, H: 2}}\n"
                                       "    on two threads: {sync_interval.H: 2, "
                                       "threads_per_worker: 2}\n",
                                   "out");
  CHECK(sweep(asked).cells == std::vector{1});
  CHECK(statuses_of(asked) == std::vector(3, RunStatus::kFinished));
  CHECK(progress_of_cells(asked)[2].folder.filename().string().starts_with("case=one"));
}

TEST_CASE("a cell that an earlier version ended, which knew fewer keys, is not run again") {
  const ScratchFolder scratch;
  const RunRequest asked =
      request(scratch, tiny_experiment() + "sweep: {seed: [1, 2]}\n", "out", {});
  sweep(asked);
  // What the version before `batch_size.multiple_of` would have left there.
  const auto make_earlier = [&](int cell, const std::string& line) {
    const fs::path folder = progress_of_cells(asked).at(cell - 1).folder;
    std::string settings = text_of(folder / "experiment.yaml");
    REQUIRE(settings.find(line) != std::string::npos);
    settings.erase(settings.find(line), line.size());
    std::ofstream(folder / "experiment.yaml") << settings;
    const fs::path earlier = folder.parent_path() / ("earlier-" + std::to_string(cell));
    fs::rename(folder, earlier);
    return earlier;
  };
  const fs::path earlier = make_earlier(1, "  multiple_of: 1\n");
  CHECK(progress_of_cells(asked).front().folder == earlier);
  CHECK(statuses_of(asked) == std::vector<RunStatus>{RunStatus::kFinished, RunStatus::kFinished});
  CHECK(sweep(asked).cells.empty());
  RunRequest alone = asked;
  alone.cell = 1;
  alone.resume = true;
  CHECK(run_alone(alone).had_finished);
  // 24 is not what such a version stood for.
  make_earlier(2, "  max: 24\n");
  CHECK(statuses_of(asked) == std::vector<RunStatus>{RunStatus::kFinished, RunStatus::kMissing});
  alone.force = true;
  alone.resume = false;
  CHECK_FALSE(run_alone(alone).folder == earlier);
}

TEST_CASE("a cell that failed is forgotten to have failed when it runs") {
  const ScratchFolder scratch;
  const RunRequest asked =
      request(scratch, tiny_experiment() + "sweep: {sync_interval.H: [2, 3]}\n", "out");
  const std::vector<CellProgress> before = progress_of_cells(asked);
  record_failure(before[0].folder, "the disk was full");
  CHECK(progress_of_cells(asked)[0].status == RunStatus::kFailed);
  CHECK(progress_of_cells(asked)[0].failure == "the disk was full");
  CHECK(sweep(asked).cells == std::vector{2, 1});
  CHECK(statuses_of(asked) == std::vector{RunStatus::kFinished, RunStatus::kFinished});
  CHECK_FALSE(recorded_failure(before[0].folder));
}

TEST_CASE("a mistake in one cell keeps a sweep from beginning") {
  const ScratchFolder scratch;
  const RunRequest asked =
      request(scratch, tiny_experiment() + "sweep: {sync_interval.H: [2, 0]}\n", "out");
  CHECK_THROWS_WITH_AS(sweep(asked), doctest::Contains("sync_interval.H"), InputError);
  CHECK_FALSE(fs::exists(scratch.path() / "out"));
}

TEST_CASE("a sweep that is stopped says so and goes on later") {
  const ScratchFolder scratch;
  RunRequest asked =
      request(scratch, tiny_experiment() + "sweep: {sync_interval.H: [2, 3]}\n", "out");
  asked.stop_requested = [] { return true; };
  const Watched stopped = sweep(asked);
  CHECK(stopped.result.stopped);
  CHECK(stopped.cells == std::vector{1});
  CHECK(statuses_of(asked) == std::vector{RunStatus::kUnfinished, RunStatus::kMissing});
  asked.stop_requested = [] { return false; };
  CHECK(sweep(asked).cells == std::vector{1, 2});
}

TEST_CASE("several ranks run the same cells, and all know of one that failed") {
  const ScratchFolder scratch;
  const RunRequest alone = request(scratch, sweep_of(scratch.path() / "nowhere"), "alone");
  sweep(alone);
  const RunRequest asked = request(scratch, sweep_of(scratch.path() / "nowhere"), "ranks");
  std::vector<int> failures(3);
  run_simulated_ranks(3, [&](ProcessGroup& processes) {
    SweepEvents events;
    events.on_failure = [&](const std::exception&) { ++failures[processes.rank()]; };
    const SweepResult result = run_sweep(asked, processes, events);
    CHECK((result.failure != nullptr) == (failures[processes.rank()] > 0));
  });
  CHECK(failures == std::vector{1, 0, 0});
  CHECK(statuses_of(asked) == statuses_of(alone));
  const auto theirs = progress_of_cells(alone), ours = progress_of_cells(asked);
  for (const std::size_t cell : {0, 2, 3})
    CHECK(text_of(ours[cell].folder / "rounds.csv") == text_of(theirs[cell].folder / "rounds.csv"));
}

TEST_CASE("a cell that another process runs is left to it") {
  const ScratchFolder scratch;
  const RunRequest asked =
      request(scratch, tiny_experiment() + "sweep: {sync_interval.H: [2, 3]}\n", "out");
  const fs::path folder = progress_of_cells(asked)[0].folder;
  const FolderLock other(folder);
  const Watched watched = sweep(asked);
  REQUIRE(watched.failures.size() == 1);
  CHECK(contains(watched.failures[0], "another process"));
  CHECK_FALSE(recorded_failure(folder));
  CHECK(statuses_of(asked) == std::vector{RunStatus::kMissing, RunStatus::kFinished});
}

TEST_CASE("settings of the command line do not touch what the sweep sets") {
  const ScratchFolder scratch;
  const std::string text = tiny_experiment() +
                           "sweep:\n"
                           "  - {seed: [1, 2]}\n"
                           "  - case: {a: {sync_interval.H: 4, batch_size.max: 8}}\n";
  for (const char* const setting : {"seed=4", "sync_interval.H=4", "batch_size.max=8"}) {
    CAPTURE(setting);
    CHECK_THROWS_WITH_AS(read_requests(request(scratch, text, "out", {setting})),
                         doctest::Contains("the sweep of"), InputError);
  }
  CHECK(read_requests(request(scratch, text, "out", {"max_samples=700"})).size() == 3);
}

TEST_CASE("settings touch no part that the sweep sets, and no part around a key that it sets") {
  const ScratchFolder scratch;
  const auto refused = [&](const std::string& sweep, const std::string& setting) {
    RunRequest asked =
        request(scratch, tiny_experiment() + "sweep: {" + sweep + "}\n", "out", {setting});
    asked.cell = 1;
    const std::string message = input_error([&] { static_cast<void>(read_request(asked)); });
    CHECK_MESSAGE(contains(message, "the sweep of"), message);
    CHECK_FALSE(contains(message, "--cell"));  // which changes nothing about it
  };
  const std::string parts =
      "learning_rate: [{name: constant, peak: 0.2}, {name: constant, peak: 0.1}]";
  refused(parts, "learning_rate.peak=0.05");
  refused("learning_rate.peak: [0.2, 0.1]", "learning_rate={name: constant, peak: 0.05}");
  refused("batch_size.max: [8, 16]", "batch_size.max=24");
  const RunRequest beside = request(scratch, tiny_experiment() + "sweep: {batch_size.max: [8]}\n",
                                    "out", {"batch_size.initial=2", "batch_size_controller.eta=1"});
  CHECK(read_request(beside).experiment.method.initial_local_batch_size == 2);
}

TEST_CASE("a run whose curves have lost their first line has not begun, and its sweep runs") {
  const ScratchFolder scratch;
  RunRequest asked =
      request(scratch, tiny_experiment() + "sweep: {sync_interval.H: [2, 3]}\n", "out");
  asked.stop_requested = [] { return true; };
  sweep(asked);
  asked.stop_requested = [] { return false; };
  const fs::path folder = progress_of_cells(asked).front().folder;
  fs::remove(folder / "checkpoint-000000001");
  for (const char* const name : {"rounds.csv", "timing.csv"})
    for (const char* const left : {"", "round,sam"}) {
      CAPTURE(name);
      const std::string whole = text_of(folder / name);
      std::ofstream(folder / name) << left;
      CHECK(statuses_of(asked) == std::vector{RunStatus::kUnfinished, RunStatus::kMissing});
      CHECK(progress_of_cells(asked).front().samples == 0);
      CHECK(progress_of_run(folder).samples == 0);
      std::ofstream(folder / name) << whole;
    }
  std::ofstream(folder / "rounds.csv") << "";
  CHECK(sweep(asked).cells == std::vector{1, 2});
  CHECK(statuses_of(asked) == std::vector(2, RunStatus::kFinished));
}

TEST_CASE("of results that force replaces it does not matter that they diverged") {
  const ScratchFolder scratch;
  RunRequest asked =
      request(scratch, tiny_experiment() + "sweep: {sync_interval.H: [2, 3]}\n", "out");
  sweep(asked);
  std::ofstream(progress_of_cells(asked).front().folder / "summary.json")
      << R"({"outcome": "diverged"})";
  CHECK(sweep(asked).result.diverged);
  asked.force = true;
  const Watched forced = sweep(asked);
  CHECK(forced.cells == std::vector{1, 2});
  CHECK_FALSE(forced.result.diverged);
}

TEST_CASE("cells that are one run count once in the time left") {
  std::vector<CellProgress> cells(4);
  for (CellProgress& cell : cells) cell.max_samples = 1000;
  cells[0].folder = "done";
  cells[0].status = RunStatus::kFinished;
  cells[0].samples = 1000;
  cells[0].seconds = 20;
  cells[1].folder = cells[2].folder = "to do";
  cells[3].folder = "begun";
  cells[3].status = RunStatus::kUnfinished;
  cells[3].samples = 500;
  cells[3].seconds = 40;
  CHECK(*seconds_left(cells) == doctest::Approx(0.04 * 1500));
  cells[2] = cells[3];
  CHECK(*seconds_left(cells) == doctest::Approx(0.04 * 1500));
}

TEST_CASE("time left follows the speed of what has been done") {
  std::vector<CellProgress> cells(3);
  for (CellProgress& cell : cells) cell.max_samples = 1000;
  cells[1].folder = "second";
  cells[2].folder = "third";
  CHECK_FALSE(seconds_left(cells));
  cells[0].status = RunStatus::kFinished;
  cells[0].samples = 1000;
  cells[0].seconds = 20;
  cells[1].status = RunStatus::kUnfinished;
  cells[1].samples = 500;
  cells[1].seconds = 10;
  CHECK(*seconds_left(cells) == doctest::Approx(0.02 * 1500));
}

}  // namespace localbatch
