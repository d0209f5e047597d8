#include "experiment/run_folder.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "experiment/fixtures.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

std::string cell_name(const std::vector<std::string>& settings, const std::string& resolved) {
  return run_folder("out", "exp", settings, resolved).filename().string();
}

void write_text(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

}  // namespace

TEST_CASE("a run's folder is named after its experiment, its settings and a hash of all") {
  CHECK(run_folder("out", "exp", {}, "").parent_path() == fs::path("out") / "exp");
  // FNV-1a, 64 bits: published test values.
  CHECK(cell_name({}, "") == "run-cbf29ce4");
  CHECK(cell_name({}, "a") == "run-af63dc4c");
  CHECK(cell_name({}, "foobar") == "run-85944171");
  CHECK(cell_name({"batch_size_controller.eta=0.9"}, "a") == "eta=0.9-af63dc4c");
  CHECK(cell_name({"seed=2", "sync_interval.H=16"}, "a") == "seed=2-H=16-af63dc4c");
}

TEST_CASE("no setting leads out of the folder or makes a name too long") {
  const std::string cell = cell_name({"dataset.root=../../etc/x y\nz"}, "a");
  CHECK(cell.find('/') == std::string::npos);
  CHECK(cell.find('\n') == std::string::npos);
  CHECK(cell.find(' ') == std::string::npos);
  CHECK(run_folder("out", "exp", {"..=/"}, "a").parent_path() == fs::path("out") / "exp");
  CHECK(cell_name({"a=" + std::string(300, 'x')}, "a") == "run-af63dc4c");
}

TEST_CASE("a folder and those around it are made") {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "a" / "b" / "c";
  claim_run_folder(folder, false);
  CHECK(fs::is_directory(folder));
  CHECK(fs::is_empty(folder));
  CHECK_NOTHROW(claim_run_folder(folder, false));  // empty: nothing to lose
}

TEST_CASE("results that are there are refused and stay, unless force replaces them") {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "run";
  claim_run_folder(folder, false);
  write_text(folder / "rounds.csv", "old");
  const std::string message = input_error([&] { claim_run_folder(folder, false); });
  CHECK(one_line_with(message, {folder.string(), "results already", "--force"}));
  CHECK(fs::exists(folder / "rounds.csv"));
  claim_run_folder(folder, true);
  CHECK(fs::is_directory(folder));
  CHECK(fs::is_empty(folder));
}

TEST_CASE("a folder that cannot be made is one line with its path") {
  const ScratchFolder scratch;
  write_text(scratch.path() / "file", "text");
  for (const bool force : {false, true}) {
    const fs::path folder = scratch.path() / "file" / "exp" / "run";
    const std::string message = input_error([&] { claim_run_folder(folder, force); });
    CHECK_MESSAGE(one_line_with(message, {folder.string(), "cannot be made"}), message);
  }
  CHECK(fs::is_regular_file(scratch.path() / "file"));
}

TEST_CASE("a folder that cannot be written is one line with its path") {
  if (::geteuid() == 0) return;  // root writes everywhere
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "run";
  fs::create_directory(folder);
  fs::permissions(folder, fs::perms::owner_read | fs::perms::owner_exec);
  const std::string message = input_error([&] { claim_run_folder(folder, false); });
  CHECK(one_line_with(message, {folder.string(), "cannot be written"}));
}

TEST_CASE("force does not remove a file that is no folder of results") {
  const ScratchFolder scratch;
  const fs::path path = scratch.path() / "run";
  write_text(path, "somebody's notes");
  CHECK(one_line_with(input_error([&] { claim_run_folder(path, true); }), {path.string()}));
  CHECK(fs::is_regular_file(path));
}

}  // namespace localbatch
