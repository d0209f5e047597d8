#include "doctor/output_check.h"

#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "doctor/rank_fixtures.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMebibyte = 1 << 20;

OutputFacts room_for(std::uint64_t bytes) {
  return {.folder = "out/a", .nearest = "/disk/out", .free_bytes = bytes};
}

}  // namespace

TEST_CASE("a folder that is there, or could be made, takes files; nothing is left in it") {
  const ScratchFolder scratch;
  for (const fs::path& folder : {scratch.path(), scratch.path() / "a" / "b"}) {
    const OutputFacts found = look_at_output(folder);
    CHECK(found.failure.empty());
    CHECK(fs::equivalent(found.nearest, scratch.path()));
    CHECK(found.free_bytes.value_or(1) > 0);
    CHECK(found.has_files_left);
  }
  CHECK(fs::is_empty(scratch.path()));
  CHECK(look_at_output("no/such/folder").nearest == fs::current_path());
}

TEST_CASE("ranks that look at a folder at once do not disturb each other") {
  const ScratchFolder scratch;
  std::vector<std::string> failures(4);
  {
    std::vector<std::jthread> ranks;
    for (std::string& failure : failures)
      ranks.emplace_back([&failure, &scratch] {
        for (int i = 0; i < 50 && failure.empty(); ++i)
          failure = look_at_output(scratch.path()).failure;
      });
  }
  for (const std::string& failure : failures) CHECK(failure == "");
  CHECK(fs::is_empty(scratch.path()));
}

TEST_CASE("what stands in the way of a file is told") {
  const ScratchFolder scratch;
  std::ofstream(scratch.path() / "file") << "notes";
  CHECK(contains(look_at_output(scratch.path() / "file" / "run").failure, "file: is no folder"));
  CHECK(contains(look_at_output("/proc/run").failure, "open failed"));
}

TEST_CASE("a disk that takes no byte is told, and nothing is left on it") {
  const ScratchFolder scratch;
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &none);
  const OutputFacts found = look_at_output(scratch.path());
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(contains(found.failure, "write failed"));
  CHECK(fs::is_empty(scratch.path()));
}

TEST_CASE("room on the disk against what a run writes") {
  const Launch launch{.output_bytes = OutputBytes{.checkpoint = 140 * kMebibyte,
                                                  .final_parameters = 20 * kMebibyte}};
  check_only(check_output(room_for(999 * kMebibyte), launch), Severity::kOk, "999 MiB are free");
  check_only(check_output(room_for(430 * kMebibyte), launch), Severity::kWarning,
             "only 430 MiB are free in /disk/out", "--output");
  check_only(check_output(room_for(419 * kMebibyte), launch), Severity::kRefusal,
             "the run needs 420 MiB: up to 3 checkpoints of 140 MiB at a time and 20 MiB of final "
             "parameters",
             "--output");
  Launch three = launch;
  three.runs = 3;
  check_only(check_output(room_for(1259 * kMebibyte), three), Severity::kRefusal,
             "3 runs at a time need 1.2 GiB", "--output");
  check_only(check_output(room_for(0), {}), Severity::kWarning, "only 0 B", "--output");
  OutputFacts unknown = room_for(0);
  unknown.free_bytes.reset();
  check_only(check_output(unknown, launch), Severity::kOk, "in /disk/out");
}

TEST_CASE("files of the run that are there already need no more room") {
  const ScratchFolder scratch;
  std::ofstream(scratch.path() / "checkpoint-000000001") << std::string(5000, 'x');
  CHECK(look_at_output(scratch.path()).bytes_there == 5000);
  CHECK(look_at_output(scratch.path() / "none").bytes_there == 0);
  const Launch launch{.output_bytes = OutputBytes{.checkpoint = 100 * kMebibyte}};
  OutputFacts output = room_for(100 * kMebibyte);
  output.bytes_there = 300 * kMebibyte;
  check_only(check_output(output, launch), Severity::kOk, "100 MiB are free");
  output.bytes_there = 150 * kMebibyte;
  check_only(check_output(output, launch), Severity::kRefusal, "needs 300 MiB", "--output");
}

TEST_CASE("a folder that takes no file is refused") {
  OutputFacts output = room_for(999 * kMebibyte);
  output.has_files_left = false;
  check_only(check_output(output, {}), Severity::kRefusal, "/disk/out", "--output");
  output.failure = "/disk/out/x: rename failed: Operation not permitted";
  check_only(check_output(output, {}), Severity::kRefusal,
             "out/a: cannot be made: /disk/out/x: rename failed", "--output");
}

TEST_CASE("a look that may not write leaves the folder as old as it was") {
  const ScratchFolder scratch;
  std::ofstream(scratch.path() / "file") << "notes";
  const auto time = fs::file_time_type::clock::now() - std::chrono::hours(1);
  fs::last_write_time(scratch.path(), time);
  CHECK(look_at_output(scratch.path() / "run", false).failure.empty());
  CHECK(fs::last_write_time(scratch.path()) == time);
  CHECK(contains(look_at_output(scratch.path() / "file" / "run", false).failure, "is no folder"));
}

}  // namespace localbatch
