#include "run/run_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "experiment/fixtures.h"
#include "run/run_experiment.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

std::string cell_name(const std::vector<std::string>& settings, const std::string& resolved) {
  return run_folder("out", "exp", run_name("", settings), resolved).filename().string();
}

void write_text(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

/// One that went on once and has lost its checkpoint, beside the folder of a branch.
void write_unfinished_run(const fs::path& folder) {
  fs::create_directories(folder / "branches");
  write_text(folder / "experiment.yaml", "seed: 1\n");
  write_text(folder / "rounds.csv", "round\n");
  write_text(folder / "manifest-from-20.json", "{}");
}

}  // namespace

TEST_CASE("a run's folder is named after its experiment, its settings and a hash of all") {
  CHECK(run_folder("out", "exp", "run", "").parent_path() == fs::path("out") / "exp");
  // Values of XXH3, 64 bits, as xxhsum -H3 prints them.
  CHECK(cell_name({}, "") == "run-2d068005");
  CHECK(cell_name({}, "a") == "run-e6c632b6");
  CHECK(cell_name({}, "foobar") == "run-d78fda63");
  CHECK(cell_name({"batch_size_controller.eta=0.9"}, "a") == "eta=0.9-e6c632b6");
  CHECK(cell_name({"seed=2", "sync_interval.H=16"}, "a") == "seed=2-H=16-e6c632b6");
}

TEST_CASE("no setting leads out of the folder or makes a name too long") {
  const std::string cell = cell_name({"dataset.root=../../etc/x y\nz"}, "a");
  CHECK(cell.find('/') == std::string::npos);
  CHECK(cell.find('\n') == std::string::npos);
  CHECK(cell.find(' ') == std::string::npos);
  CHECK(run_folder("out", "exp", run_name("", {"..=/"}), "a").parent_path() ==
        fs::path("out") / "exp");
  CHECK(cell_name({"a=" + std::string(300, 'x')}, "a") == "run-e6c632b6");
}

TEST_CASE("the same settings have the same folder, in whatever way they were written") {
  const ScratchFolder scratch;
  const auto folder = [&](const std::vector<std::string>& settings, const std::string& resolved) {
    return run_folder(scratch.path(), "exp", run_name("", settings), resolved);
  };
  const fs::path first = folder({"batch_size.max=128"}, "workers: 1\nmax: 128\n");
  CHECK_FALSE(folder({"batch_size={max: 128}"}, "workers: 1\nmax: 128\n") == first);
  fs::create_directories(first);
  CHECK(folder({"batch_size={max: 128}"}, "workers: 1\nmax: 128\n") == first);
  CHECK_FALSE(folder({"batch_size={max: 128}"}, "workers: 1\nmax: 256\n") == first);
}

TEST_CASE("a copy of a run's folder is not taken for the run") {
  const ScratchFolder scratch;
  const auto folder = [&] { return run_folder(scratch.path(), "exp", "run", "seed: 1\n"); };
  const fs::path run = folder();
  const fs::path backup = run.parent_path() / ("backup-" + run.filename().string());
  fs::create_directories(backup);
  fs::create_directories(run);
  CHECK(folder() == run);
  fs::remove(run);
  CHECK(folder() == backup);  // or the same settings, written in another way
  const fs::path other = run.parent_path() / ("other-" + run.filename().string());
  fs::create_directories(other);
  CHECK(one_line_with(input_error([&] { folder(); }),
                      {run.string(), backup.filename().string(), other.filename().string()}));
}

TEST_CASE("threads change no result and so neither the folder nor what may go on there") {
  const std::string one = "workers: 4\nthreads_per_worker: 1\nmax_samples: 10\n";
  const std::string eight = "workers: 4\nthreads_per_worker: 8\nmax_samples: 10\n";
  const std::string other = "workers: 4\nthreads_per_worker: 8\nmax_samples: 20\n";
  CHECK(run_folder("out", "exp", "run", one) == run_folder("out", "exp", "run", eight));
  CHECK_FALSE(run_folder("out", "exp", "run", one) == run_folder("out", "exp", "run", other));
  const ScratchFolder scratch;
  write_text(scratch.path() / "experiment.yaml", one);
  CHECK(status_of_folder(scratch.path(), eight) == RunStatus::kUnfinished);
  CHECK(one_line_with(
      input_error([&] { static_cast<void>(status_of_folder(scratch.path(), other)); }),
      {"max_samples is 10 there and 20 here"}));
}

TEST_CASE("of many settings a folder's name has as many as fit") {
  const std::string cell =
      cell_name({"seed=1", "workers=4", "dataset.root=" + std::string(90, 'x'), "H=3"}, "a");
  CHECK(cell == "seed=1-workers=4-and_2_more-e6c632b6");
}

TEST_CASE("a folder and those around it are made") {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "a" / "b" / "c";
  CHECK(status_of_folder(folder, "") == RunStatus::kMissing);
  CHECK_FALSE(fs::exists(folder));
  const FolderLock lock(folder);
  CHECK(fs::is_directory(folder));
  CHECK(status_of_folder(folder, "") == RunStatus::kMissing);  // nothing to lose
}

TEST_CASE("a folder that cannot be looked at does not count as missing") {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / std::string(300, 'x');
  CHECK(one_line_with(input_error([&] { static_cast<void>(status_of_folder(folder, "")); }),
                      {folder.string(), "too long"}));
}

TEST_CASE("only one process writes to a folder") {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "run";
  {
    const FolderLock lock(folder);
    CHECK(one_line_with(input_error([&] { const FolderLock second(folder); }),
                        {folder.string(), "another process"}));
  }
  CHECK_NOTHROW(FolderLock{folder});
}

TEST_CASE("the lock says whether a process works on a folder, and is asked without waiting") {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "run";
  CHECK(is_in_use(folder) == false);  // nobody has begun
  {
    const FolderLock lock(folder);
    CHECK(is_in_use(folder) == true);
  }
  CHECK(is_in_use(folder) == false);
  CHECK_NOTHROW(FolderLock{folder});  // whoever asked holds nothing
  fs::remove(folder / "lock");
  REQUIRE(::mkfifo((folder / "lock").c_str(), 0600) == 0);
  CHECK_FALSE(is_in_use(folder).value_or(false));
}

TEST_CASE("what a folder holds is known by its settings and its summary") {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "run";
  const std::string settings = "workers: 4\nbatch_size: {initial: 8, max: 64}\n";
  fs::create_directory(folder);
  write_text(folder / "experiment.yaml", settings);
  write_text(folder / "rounds.csv", "old");
  CHECK(status_of_folder(folder, settings) == RunStatus::kUnfinished);
  write_text(folder / "summary.json", R"({"outcome": "finished"})");
  CHECK(status_of_folder(folder, settings) == RunStatus::kFinished);
  write_text(folder / "summary.json", R"({"outcome": "diverged"})");
  CHECK(status_of_folder(folder, settings) == RunStatus::kDiverged);
  write_text(folder / "summary.json", "{}");
  CHECK(one_line_with(input_error([&] { static_cast<void>(status_of_folder(folder, settings)); }),
                      {"summary.json: outcome: found nothing"}));
}

TEST_CASE("of a run with other settings the first key that differs is named") {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "run";
  fs::create_directory(folder);
  write_text(folder / "experiment.yaml", "workers: 4\nbatch_size: {initial: 8, max: 64}\n");
  const auto message = [&](const std::string& settings) {
    return input_error([&] { static_cast<void>(status_of_folder(folder, settings)); });
  };
  CHECK(one_line_with(message("workers: 4\nbatch_size: {initial: 8, max: 128}\n"),
                      {folder.string(), "batch_size.max is 64 there and 128 here"}));
  CHECK(one_line_with(message("workers: 4\nbatch_size: {initial: 8, max: 64}\nseed: 1\n"),
                      {"seed is 1 here and not there"}));
  CHECK(one_line_with(message("workers: 4\nbatch_size: {initial: 8}\n"),
                      {"batch_size.max is 64 there and not here"}));
}

TEST_CASE("files of something else are refused and stay") {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "run";
  fs::create_directory(folder);
  write_text(folder / "thesis.tex", "text");
  const std::string message = input_error([&] { static_cast<void>(status_of_folder(folder, "")); });
  CHECK(one_line_with(message, {folder.string(), "other files", "--force"}));
  CHECK(fs::exists(folder / "thesis.tex"));
  const FolderLock lock(folder);
  empty_folder(folder);
  CHECK(status_of_folder(folder, "") == RunStatus::kMissing);
  CHECK_FALSE(fs::exists(folder / "thesis.tex"));
}

TEST_CASE("a folder that cannot be made is one line with its path") {
  const ScratchFolder scratch;
  write_text(scratch.path() / "file", "text");
  const fs::path folder = scratch.path() / "file" / "exp" / "run";
  const std::string message = input_error([&] { const FolderLock lock(folder); });
  CHECK_MESSAGE(one_line_with(message, {folder.string(), "cannot be made"}), message);
  CHECK(fs::is_regular_file(scratch.path() / "file"));
}

TEST_CASE("a folder that cannot be written is one line with its path") {
  if (::geteuid() == 0) return;  // root writes everywhere
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "run";
  fs::create_directory(folder);
  fs::permissions(folder, fs::perms::owner_read | fs::perms::owner_exec);
  const std::string message = input_error([&] { const FolderLock lock(folder); });
  CHECK_MESSAGE(one_line_with(message, {folder.string(), "cannot be written"}), message);
}

TEST_CASE("a file in the place of a run's folder is never removed") {
  const ScratchFolder scratch;
  const fs::path path = scratch.path() / "run";
  write_text(path, "text");
  CHECK(one_line_with(input_error([&] { static_cast<void>(status_of_folder(path, "")); }),
                      {path.string()}));
  CHECK(one_line_with(input_error([&] { const FolderLock lock(path); }), {path.string()}));
  CHECK(fs::is_regular_file(path));
}

TEST_CASE("a finished run is cleaned up by who holds its lock only") {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "run";
  fs::create_directories(folder);
  write_text(folder / "experiment.yaml", "seed: 1\n");
  write_text(folder / "summary.json", R"({"outcome": "finished"})");
  write_text(folder / "checkpoint-000000001", "old");
  RunRequest again;
  again.resume = true;
  {
    const FolderLock somebody(folder);
    CHECK(is_in_use(folder) == true);
    CHECK(claim_folder(again, folder, "seed: 1\n", 2, {}, {}).has_finished);
    CHECK(fs::exists(folder / "checkpoint-000000001"));
  }
  CHECK(is_in_use(folder) == false);
  CHECK(claim_folder(again, folder, "seed: 1\n", 2, {}, {}).has_finished);
  CHECK_FALSE(fs::exists(folder / "checkpoint-000000001"));
}

TEST_CASE("a run that begins anew leaves what it has not written, but with --force") {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "run";
  write_unfinished_run(folder);
  write_text(folder / "slurm-12.out", "mine");
  write_text(folder / "branches" / "rounds.csv", "of a branch");
  CHECK_FALSE(claim_folder({}, folder, "seed: 1\n", 2, {}, {}).checkpoint.has_value());
  CHECK(fs::exists(folder / "slurm-12.out"));
  CHECK(fs::exists(folder / "branches" / "rounds.csv"));
  CHECK(fs::exists(folder / "experiment.yaml"));
  CHECK_FALSE(fs::exists(folder / "manifest-from-20.json"));
  RunRequest force;
  force.force = true;
  CHECK_FALSE(claim_folder(force, folder, "seed: 1\n", 2, {}, {}).checkpoint.has_value());
  CHECK_FALSE(fs::exists(folder / "slurm-12.out"));
}

TEST_CASE("the check of a folder refuses what a claim refuses, and leaves it as it is") {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "run";
  const auto check = [&](const RunRequest& request) {
    return check_folder(request, folder, "seed: 1\n", 2, {});
  };
  const auto refused = [&](const RunRequest& request, const std::string& part) {
    const Diagnoses found = check(request);
    REQUIRE(found.size() == 1);
    CHECK(found.front().severity == Severity::kRefusal);
    CHECK_MESSAGE(contains(found.front().text, part), found.front().text);
    CHECK(contains(input_error([&] { claim_folder(request, folder, "seed: 1\n", 2, {}, {}); }),
                   part));
  };
  const RunRequest plain;
  RunRequest force = plain, resume = plain;
  force.force = true;
  resume.resume = true;
  CHECK(check(plain).empty());
  CHECK_FALSE(fs::exists(folder));
  fs::create_directories(folder);
  write_text(folder / "notes.txt", "mine");
  refused(plain, "holds other files already");
  CHECK(check(force).empty());
  write_text(folder / "experiment.yaml", "seed: 2\n");
  refused(plain, "seed is 2 there and 1 here");
  write_text(folder / "experiment.yaml", "seed: 1\n");
  CHECK(check(plain).empty());
  {
    const FolderLock somebody(folder);
    refused(plain, "another process is writing there");
    refused(force, "another process is writing there");
  }
  write_text(folder / "checkpoint-000000003", "damaged");
  refused(plain, "damaged");
  write_text(folder / "summary.json", R"({"outcome": "finished"})");
  refused(plain, "holds results already");
  CHECK(check(resume).empty());
  CHECK(fs::exists(folder / "checkpoint-000000003"));
}

}  // namespace localbatch
