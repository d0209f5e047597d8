#include "run/checkpoints.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "experiment/fixtures.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

using Bytes = std::vector<std::byte>;

Bytes filled(std::size_t size, std::int64_t value) {
  return Bytes(size, static_cast<std::byte>(value));
}

/// Of two workers; what stands in it is known by its round.
CheckpointWriter begun(const fs::path& folder, std::int64_t round) {
  return {folder, {.round = round, .made_by = "a program", .data = 7}, 100};
}

void save(const fs::path& folder, std::int64_t round) {
  CheckpointWriter writer = begun(folder, round);
  writer.section(filled(30, round));
  for (int worker = 0; worker < 2; ++worker) writer.section(filled(20, 100 * worker + round));
  writer.finish();
}

std::vector<std::string> sorted_names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

std::string error_of(const fs::path& folder, int num_workers = 2) {
  return input_error([&] { static_cast<void>(newest_checkpoint(folder, num_workers)); });
}

}  // namespace

TEST_CASE("the newest checkpoint is found, with what it was made of") {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path();
  CHECK_FALSE(newest_checkpoint(folder, 2).has_value());
  CHECK_FALSE(newest_checkpoint(folder / "none", 2).has_value());
  for (const std::int64_t round : {9, 10, 100}) {
    save(folder, round);
    const std::optional<Checkpoint> found = newest_checkpoint(folder, 2);
    REQUIRE(found.has_value());
    CHECK(found->facts.round == round);
    CHECK(found->facts.made_by == "a program");
    CHECK(found->facts.data == 7);
    CHECK(std::ranges::equal(found->common, filled(30, round)));
    REQUIRE(found->workers.size() == 2);
    CHECK(std::ranges::equal(found->workers[0], filled(20, round)));
    CHECK(std::ranges::equal(found->workers[1], filled(20, 100 + round)));
  }
}

TEST_CASE("two checkpoints are kept, and none when a run has finished") {
  const ScratchFolder scratch;
  for (int round = 1; round <= 3; ++round) save(scratch.path(), round);
  CHECK(sorted_names_in(scratch.path()) ==
        std::vector<std::string>{"checkpoint-000000002", "checkpoint-000000003"});
  std::ofstream(scratch.path() / "rounds.csv") << "round\n";
  remove_checkpoints(scratch.path());
  CHECK(sorted_names_in(scratch.path()) == std::vector<std::string>{"rounds.csv"});
}

TEST_CASE("a round that is saved again replaces its checkpoint") {
  const ScratchFolder scratch;
  for (const int round : {1, 2, 2}) save(scratch.path(), round);
  CHECK(sorted_names_in(scratch.path()) ==
        std::vector<std::string>{"checkpoint-000000001", "checkpoint-000000002"});
}

TEST_CASE("a checkpoint counts from its last byte on") {
  const ScratchFolder scratch;
  save(scratch.path(), 1);
  {
    CheckpointWriter writer = begun(scratch.path(), 2);
    writer.section(filled(30, 2));
    CHECK(sorted_names_in(scratch.path()) ==
          std::vector<std::string>{"checkpoint-000000001", "checkpoint-000000002.new"});
    CHECK(newest_checkpoint(scratch.path(), 2)->facts.round == 1);
  }
  // The round failed: its file is of no use to anybody.
  CHECK(sorted_names_in(scratch.path()) == std::vector<std::string>{"checkpoint-000000001"});
  std::ofstream(scratch.path() / "checkpoint-000000003.new") << "what a killed process leaves";
  CHECK(newest_checkpoint(scratch.path(), 2)->facts.round == 1);
}

TEST_CASE("a damaged checkpoint is refused and the one before is offered") {
  const ScratchFolder scratch;
  save(scratch.path(), 1);
  save(scratch.path(), 2);
  const fs::path newest = scratch.path() / "checkpoint-000000002",
                 before = scratch.path() / "checkpoint-000000001";
  fs::resize_file(newest, fs::file_size(newest) - 1);
  CHECK(one_line_with(error_of(scratch.path()), {newest.string() + ": damaged: ",
                                                 "remove it to go on from " + before.string()}));
  fs::remove(newest);
  CHECK(newest_checkpoint(scratch.path(), 2)->path == before);
  fs::resize_file(before, 0);
  CHECK(one_line_with(error_of(scratch.path()),
                      {before.string() + ": damaged: ", "remove it to begin anew"}));
  fs::remove(before);
  CHECK_FALSE(newest_checkpoint(scratch.path(), 2).has_value());
}

TEST_CASE("a checkpoint of another number of workers is refused") {
  const ScratchFolder scratch;
  save(scratch.path(), 1);
  for (const int num_workers : {1, 3})
    CHECK(one_line_with(
        error_of(scratch.path(), num_workers),
        {"checkpoint-000000001", "found 4 sections, expected " + std::to_string(num_workers + 2)}));
}

TEST_CASE("without space for all of it a checkpoint is not begun") {
  const ScratchFolder scratch;
  save(scratch.path(), 1);
  constexpr std::size_t kTooMuch = std::numeric_limits<std::size_t>::max();
  std::string message;
  try {
    const CheckpointWriter writer(scratch.path(), {.round = 2, .made_by = "a program"}, kTooMuch);
  } catch (const SystemError& error) {
    message = error.what();
  }
  CHECK(one_line_with(message, {scratch.path().string(),
                                "it needs " + std::to_string(kTooMuch) + " bytes", "are free"}));
  CHECK(sorted_names_in(scratch.path()) == std::vector<std::string>{"checkpoint-000000001"});
}

TEST_CASE("only names that are written count as checkpoints; others are left alone") {
  const ScratchFolder scratch;
  save(scratch.path(), 1);
  const std::vector<std::string> others{"checkpoint-1",         "checkpoint-0000000002",
                                        "checkpoint-notes.txt", "checkpoint-000000002~",
                                        "checkpoint-00000000x", "checkpoint--00000002",
                                        "checkpoint-",          "checkpoint-000000000"};
  for (const std::string& name : others) std::ofstream(scratch.path() / name) << "mine";
  CHECK(newest_checkpoint(scratch.path(), 2)->facts.round == 1);
  for (int round = 2; round <= 4; ++round) save(scratch.path(), round);
  remove_checkpoints(scratch.path());
  CHECK(sorted_names_in(scratch.path()).size() == others.size());
}

}  // namespace localbatch
