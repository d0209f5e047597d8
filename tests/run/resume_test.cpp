#include <doctest/doctest.h>

#include <optional>

#include "experiment/fixtures.h"
#include "run/checkpoints.h"
#include "run/resume_fixtures.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

constexpr int kWorkers = 3;  // of tiny_experiment()

/// With every kind of file that a run can write.
RunRequest tiny_request(const ScratchFolder& scratch, const std::string& output,
                        const std::vector<std::string>& settings = {}) {
  return request(scratch,
                 tiny_experiment() +
                     "audit: {every_rounds: 2, samples: 6}\n"
                     "shadow_controllers: [{name: norm_test, eta: 0.5}]\n",
                 output, settings);
}

std::string error_of(const RunRequest& request) {
  return input_error([&] { run_alone(request); });
}

fs::path newest_of(const fs::path& folder) { return newest_checkpoint(folder, kWorkers)->path; }

/// A run that is saved every other round and breaks off in its fifth, when rows of it are written.
fs::path run_that_breaks_off(const RunRequest& whole) {
  RunRequest request = whole;
  request.checkpoints.every_rounds = 2;
  fs::path folder;
  int rounds = 0;
  const RunEvents events{.on_start = [&](const RunStart& start) { folder = start.folder; },
                         .on_round =
                             [&](const RunProgress&) {
                               if (++rounds == 5) fail_system("somebody pulls the plug");
                             }};
  CHECK_THROWS_AS(run_experiment(request, *single_process(), events, [] {}), SystemError);
  std::ofstream(folder / "rounds.csv", std::ios::app) << "6,half a ro";
  std::ofstream(folder / "checkpoint-000000006.new") << "half a checkpoint";
  return folder;
}

/// Replaces the newest checkpoint of a folder by one with the same state and other facts.
void change_facts(const fs::path& folder, const std::function<void(CheckpointFacts&)>& change) {
  const Checkpoint old = *newest_checkpoint(folder, kWorkers);
  CheckpointFacts facts = old.facts;
  change(facts);
  CheckpointWriter writer(folder, facts, 0);
  writer.section(old.common);
  for (const std::span<const std::byte> worker : old.workers) writer.section(worker);
  writer.finish();
}

}  // namespace

TEST_CASE("a run may be stopped after any round and goes on on any ranks") {
  const ScratchFolder scratch;
  const RunResult whole = run_stretch(tiny_request(scratch, "whole"));
  REQUIRE(whole.rounds >= 8);
  CHECK(names_in(whole.folder).contains("audits.csv"));
  CHECK(names_in(whole.folder).contains("controllers.csv"));
  for (int rounds = 1; rounds <= whole.rounds; ++rounds) {
    CAPTURE(rounds);
    const RunRequest parts = tiny_request(scratch, "parts" + std::to_string(rounds));
    const RunResult stopped = run_stretch(parts, {.ranks = 1 + rounds % 3, .rounds = rounds});
    CHECK(stopped.outcome == Outcome::kStopped);
    CHECK(stopped.rounds == rounds);
    std::int64_t resumed_round = 0;
    const RunEvents events{
        .on_start = [&](const RunStart& start) { resumed_round = start.resumed_round; }};
    const RunResult last = run_stretch(parts, {.ranks = 1 + (rounds + 1) % 3}, events);
    CHECK(resumed_round == rounds);
    CHECK(last.rounds == whole.rounds);
    CHECK(last.samples == whole.samples);
    CHECK(last.first_local_batch_size == whole.first_local_batch_size);
    CHECK(last.last_local_batch_size == whole.last_local_batch_size);
    CHECK(last.last_evaluation.test.loss == whole.last_evaluation.test.loss);
    CHECK(names_in(last.folder).contains("manifest-from-" + std::to_string(rounds) + ".json"));
    check_same_run(whole.folder, last.folder);
  }
}

TEST_CASE("a run may be stopped after every round") {
  const ScratchFolder scratch;
  const RunResult whole = run_stretch(tiny_request(scratch, "whole"));
  const RunRequest parts = tiny_request(scratch, "parts");
  for (int round = 1; round <= whole.rounds; ++round)
    CHECK(run_stretch(parts, {.ranks = 1 + round % 3, .rounds = 1}).rounds == round);
  check_same_run(whole.folder, run_stretch(parts).folder);
}

TEST_CASE("a run that validates may be stopped after every round, its last one too") {
  const ScratchFolder scratch;
  const auto validating = [&](const std::string& output) {
    RunRequest request = tiny_request(scratch, output);
    request.settings.emplace_back("dataset.validation=40");
    return request;
  };
  const RunResult whole = run_stretch(validating("whole"));
  const RunRequest parts = validating("parts");
  for (int round = 1; round <= whole.rounds; ++round)
    CHECK(run_stretch(parts, {.ranks = 1 + round % 3, .rounds = 1}).rounds == round);
  const RunResult last = run_stretch(parts, {.ranks = 2});
  check_same_run(whole.folder, last.folder);
  REQUIRE(last.last_evaluation.test.validation);
  CHECK(last.last_evaluation.test.validation->loss == whole.last_evaluation.test.validation->loss);
  const std::string summary = text_of(last.folder / "summary.json");
  for (const std::string key : {"validation_loss", "validation_accuracy"}) {
    CHECK(contains(summary, key));
    CHECK_FALSE(contains(summary, "\"" + key + "\": null"));
  }
}

TEST_CASE("a run that evaluates a mean over rounds may be stopped after every round") {
  const ScratchFolder scratch;
  const auto averaging = [&](const std::string& output) {
    RunRequest request = tiny_request(scratch, output);
    request.settings.emplace_back("evaluation.averaged_over=500");
    request.settings.emplace_back("batch_norm_at_sync=recompute");
    return request;
  };
  const RunResult whole = run_stretch(averaging("whole"));
  const RunRequest parts = averaging("parts");
  for (int round = 1; round <= whole.rounds; ++round)
    CHECK(run_stretch(parts, {.ranks = 1 + round % 3, .rounds = 1}).rounds == round);
  const RunResult last = run_stretch(parts, {.ranks = 2});
  check_same_run(whole.folder, last.folder);
  CHECK(last.last_evaluation.averaged->loss == whole.last_evaluation.averaged->loss);
  CHECK(contains(text_of(last.folder / "summary.json"),
                 fmt::format("\"averaged_test_loss\": {}", last.last_evaluation.averaged->loss)));
}

TEST_CASE("checkpoints on the way change nothing") {
  const ScratchFolder scratch;
  RunRequest saved = tiny_request(scratch, "saved");
  saved.checkpoints.every_rounds = 1;
  check_same_run(run_alone(tiny_request(scratch, "whole")).folder, run_alone(saved).folder);
}

TEST_CASE("a run that was stopped is no result: a checkpoint, and no summary or parameters") {
  const ScratchFolder scratch;
  // All ranks stop when one of them is asked to.
  for (const int asking : {-1, 0, 2}) {
    CAPTURE(asking);
    const RunResult stopped = run_stretch(tiny_request(scratch, "out" + std::to_string(asking + 1)),
                                          {.ranks = 3, .rounds = 4, .asking = asking});
    CHECK(stopped.outcome == Outcome::kStopped);
    CHECK(stopped.rounds == 4);
    CHECK(names_in(stopped.folder) ==
          std::set<std::string>{"lock", "experiment.yaml", "manifest.json", "rounds.csv",
                                "evaluations.csv", "timing.csv", "controllers.csv", "audits.csv",
                                "checkpoint-000000004"});
    CHECK(read_csv(stopped.folder / "rounds.csv").at("round").size() == 4);
  }
}

TEST_CASE("a run that broke off goes on from its newest checkpoint") {
  const ScratchFolder scratch;
  const fs::path whole = run_alone(tiny_request(scratch, "whole")).folder;
  const RunRequest parts = tiny_request(scratch, "parts");
  const fs::path folder = run_that_breaks_off(parts);
  CHECK(newest_of(folder).filename() == "checkpoint-000000004");
  check_same_run(whole, run_stretch(parts, {.ranks = 2}).folder);
}

TEST_CASE("a damaged checkpoint is refused, and without it the run goes on from the one before") {
  const ScratchFolder scratch;
  const fs::path whole = run_alone(tiny_request(scratch, "whole")).folder;
  const RunRequest parts = tiny_request(scratch, "parts");
  const fs::path newest = newest_of(run_that_breaks_off(parts));
  std::fstream(newest, std::ios::in | std::ios::out).seekp(1000).put('?');
  CHECK(one_line_with(error_of(parts), {newest.string(), "damaged", "checkpoint-000000002"}));
  CHECK(fs::exists(newest));
  fs::remove(newest);
  check_same_run(whole, run_stretch(parts).folder);
}

TEST_CASE("a run that was never saved begins anew") {
  const ScratchFolder scratch;
  const fs::path whole = run_alone(tiny_request(scratch, "whole")).folder;
  const RunRequest parts = tiny_request(scratch, "parts");
  const fs::path folder = run_that_breaks_off(parts);
  remove_checkpoints(folder);
  std::ofstream(folder / "audits.csv") << "of another start";
  std::int64_t resumed_round = -1;
  const RunEvents events{
      .on_start = [&](const RunStart& start) { resumed_round = start.resumed_round; }};
  check_same_run(whole, run_stretch(parts, {}, events).folder);
  CHECK(resumed_round == 0);
}

TEST_CASE("a checkpoint that could not be kept is kept when the run goes on") {
  const ScratchFolder scratch;
  // Rounds have 24 samples: the third one is the first to reach two of these.
  const std::string text = tiny_experiment() + "checkpoint: {keep_at: [10, 50, 72, 240]}\n";
  const std::vector<std::string> fixed{"batch_size_controller={name: fixed}"};
  const fs::path whole = run_alone(request(scratch, text, "whole", fixed)).folder;
  const RunRequest parts = request(scratch, text, "parts", fixed);
  const fs::path folder = run_stretch(parts, {.rounds = 1}).folder;
  const fs::path kept = folder / "kept";
  const std::string first = text_of(folder / "checkpoint-000000001");
  fs::remove_all(kept);  // as if the run had been killed before the copy
  run_stretch(parts, {.ranks = 2, .rounds = 1});
  CHECK(text_of(kept / "checkpoint-at-10") == first);

  fs::rename(kept, scratch.path() / "aside");
  std::ofstream(kept) << "in the way";
  CHECK_THROWS_WITH_AS(run_alone(parts), doctest::Contains("kept: cannot be made"), SystemError);
  CHECK(newest_of(folder).filename() == "checkpoint-000000003");
  const std::string third = text_of(newest_of(folder));
  CHECK_THROWS_WITH_AS(run_alone(parts), doctest::Contains("kept: cannot be made"), SystemError);
  fs::remove(kept);
  run_stretch(parts, {.ranks = 3});
  // The first one is not that of this round.
  CHECK(names_in(kept) ==
        std::set<std::string>{"checkpoint-at-240", "checkpoint-at-50", "checkpoint-at-72"});
  CHECK(text_of(kept / "checkpoint-at-50") == third);
  CHECK(text_of(kept / "checkpoint-at-72") == third);
  check_same_run(whole, folder);
}

TEST_CASE("the speed of a run that goes on is that of what it has done since") {
  const ScratchFolder scratch;
  const RunRequest parts = tiny_request(scratch, "parts");
  std::vector<RunProgress> rounds;
  const RunEvents events{.on_round = [&](const RunProgress& round) { rounds.push_back(round); }};
  run_stretch(parts, {.rounds = 3}, events);
  REQUIRE(rounds.size() == 3);
  const std::int64_t before = rounds.back().samples;
  rounds.clear();
  run_stretch(parts, {.rounds = 2}, events);
  REQUIRE(rounds.size() == 2);
  // No evaluation was done in either stretch.
  CHECK(rounds[0].samples_per_second * rounds[0].training_seconds ==
        doctest::Approx(static_cast<double>(rounds[0].samples - before)));
  for (const RunProgress& round : rounds)
    CHECK(round.seconds_left * static_cast<double>(round.samples - before) ==
          doctest::Approx(round.seconds * static_cast<double>(600 - round.samples)));
}

TEST_CASE("force begins anew") {
  const ScratchFolder scratch;
  RunRequest parts = tiny_request(scratch, "parts");
  run_stretch(parts, {.rounds = 3});
  parts.force = true;
  CHECK(run_stretch(parts, {.rounds = 2}).rounds == 2);
}

TEST_CASE("a finished run is told from one to go on with") {
  const ScratchFolder scratch;
  RunRequest again = tiny_request(scratch, "out");
  const fs::path folder = run_alone(again).folder;
  const std::string summary = text_of(folder / "summary.json");
  CHECK(one_line_with(error_of(again), {folder.string(), "holds results already"}));
  again.resume = true;
  bool begins = false;
  // What a look at the folder leaves behind when it is killed.
  std::ofstream(folder / ".localbatch-doctor-n1-1.new") << "first\n";
  const RunResult result =
      run_experiment(again, *single_process(), {}, [&begins] { begins = true; });
  CHECK(result.had_finished);
  CHECK(result.folder == folder);
  CHECK_FALSE(begins);
  CHECK_FALSE(fs::exists(folder / ".localbatch-doctor-n1-1.new"));
  CHECK(run_stretch(again, {.ranks = 3}).had_finished);
  CHECK(text_of(folder / "summary.json") == summary);
}

TEST_CASE("a run goes on in the folder that is named, if its settings are the same") {
  const ScratchFolder scratch;
  const fs::path whole = run_alone(tiny_request(scratch, "whole")).folder;
  const fs::path moved = scratch.path() / "moved";
  fs::rename(run_stretch(tiny_request(scratch, "parts"), {.rounds = 3}).folder, moved);

  RunRequest other = tiny_request(scratch, "other", {"batch_size.max=32"});
  other.resumed_folder = moved;
  CHECK(one_line_with(error_of(other), {moved.string(), "batch_size.max is 24 there and 32 here"}));
  RunRequest nowhere = tiny_request(scratch, "nowhere");
  nowhere.resumed_folder = scratch.path() / "none";
  CHECK(one_line_with(error_of(nowhere), {nowhere.resumed_folder.string(), "no unfinished run"}));
  CHECK_FALSE(fs::exists(nowhere.resumed_folder));

  RunRequest same = tiny_request(scratch, "same");
  same.resumed_folder = moved;
  const RunResult result = run_stretch(same, {.ranks = 2});
  CHECK(result.folder == moved);
  check_same_run(whole, moved);
}

TEST_CASE("a checkpoint that was made with other data is refused") {
  const ScratchFolder scratch;
  const RunRequest parts = tiny_request(scratch, "parts");
  const fs::path folder = run_stretch(parts, {.rounds = 3}).folder;
  change_facts(folder, [](CheckpointFacts& facts) { facts.data ^= 1; });
  const std::string rounds = text_of(folder / "rounds.csv");
  CHECK(one_line_with(error_of(parts),
                      {newest_of(folder).string(), "the data are not those", "--force"}));
  CHECK(text_of(folder / "rounds.csv") == rounds);
}

TEST_CASE("a run whose settings were changed in its folder does not go on") {
  const ScratchFolder scratch;
  const fs::path folder = run_stretch(tiny_request(scratch, "parts"), {.rounds = 3}).folder;
  RunRequest edited{.file = folder / "experiment.yaml", .settings = {}, .output = {}};
  edited.resumed_folder = folder;
  change_setting(folder, "max_samples: 600", "max_samples: 720");
  CHECK(one_line_with(error_of(edited),
                      {newest_of(folder).string(), "the settings are not those", "--force"}));
}

TEST_CASE("a run goes on with other threads per worker, as they change no result") {
  const ScratchFolder scratch;
  const fs::path whole = run_alone(tiny_request(scratch, "whole")).folder;
  const fs::path folder = run_stretch(tiny_request(scratch, "parts"), {.rounds = 3}).folder;
  RunRequest edited{.file = folder / "experiment.yaml", .settings = {}, .output = {}};
  edited.resumed_folder = folder;
  change_setting(folder, "threads_per_worker: 1", "threads_per_worker: 2");
  run_alone(edited);
  CHECK(text_of(folder / "rounds.csv") == text_of(whole / "rounds.csv"));
}

TEST_CASE("a checkpoint of another program is used with a warning") {
  const ScratchFolder scratch;
  const fs::path whole = run_alone(tiny_request(scratch, "whole")).folder;
  const RunRequest parts = tiny_request(scratch, "parts");
  const fs::path folder = run_stretch(parts, {.rounds = 3}).folder;
  change_facts(folder, [](CheckpointFacts& facts) { facts.made_by = "localbatch 0"; });
  std::vector<std::string> warnings;
  const RunEvents events{.on_warning = [&](const std::string& text) { warnings.push_back(text); }};
  check_same_run(whole, run_stretch(parts, {}, events).folder);
  CHECK(std::ranges::count_if(warnings, [](const std::string& warning) {
          return one_line_with(warning, {"was made by localbatch 0, and this is localbatch"});
        }) == 1);
}

TEST_CASE("curves that somebody has cut short since the checkpoint are refused") {
  const ScratchFolder scratch;
  const RunRequest parts = tiny_request(scratch, "parts");
  const fs::path folder = run_stretch(parts, {.rounds = 3}).folder;
  fs::resize_file(folder / "rounds.csv", fs::file_size(folder / "rounds.csv") - 1);
  CHECK(one_line_with(error_of(parts), {(folder / "rounds.csv").string(), "cut it short"}));
  fs::remove(folder / "rounds.csv");
  CHECK(one_line_with(error_of(parts), {(folder / "rounds.csv").string(), "no such file"}));
}

TEST_CASE("a curve that somebody has changed is refused by name, and nothing is cut off") {
  const ScratchFolder scratch;
  const RunRequest parts = tiny_request(scratch, "parts");
  const fs::path folder = run_stretch(parts, {.rounds = 4}).folder;
  for (const char* const name :
       {"rounds.csv", "evaluations.csv", "timing.csv", "controllers.csv", "audits.csv"}) {
    CAPTURE(name);
    const std::string whole = text_of(folder / name);
    std::string changed = whole + "more";
    changed[whole.size() - 3] ^= 1;
    std::ofstream(folder / name) << changed;
    CHECK(one_line_with(error_of(parts), {(folder / name).string(), "somebody has changed them"}));
    CHECK(text_of(folder / name) == changed);
    std::ofstream(folder / name) << whole;
  }
  // Nor of the others, where rows are behind the checkpoint.
  const std::string rounds = text_of(folder / "rounds.csv");
  std::ofstream(folder / "rounds.csv", std::ios::app) << "behind the checkpoint";
  for (const char* const name : {"evaluations.csv", "audits.csv"}) {
    CAPTURE(name);
    const std::string whole = text_of(folder / name);
    std::string changed = whole;
    changed[whole.size() - 3] ^= 1;
    std::ofstream(folder / name) << changed;
    CHECK(contains(error_of(parts), "somebody has changed them"));
    CHECK(text_of(folder / "rounds.csv") == rounds + "behind the checkpoint");
    std::ofstream(folder / name) << whole;
  }
  check_same_run(run_alone(tiny_request(scratch, "whole")).folder, run_stretch(parts).folder);
}

}  // namespace localbatch
