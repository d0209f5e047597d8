#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <set>
#include <string>

#include "comm/thread_process_group.h"
#include "run/run_fixtures.h"

namespace localbatch {

/// Runs until the experiment ends, or for so many more rounds, on simulated ranks of which all or
/// one (`asking`) ask for the end. Returns what rank 0 gets to know.
struct Stretch {
  int ranks = 1;
  int rounds = 0;  ///< 0: until the end
  int asking = -1;
};

inline RunResult run_stretch(const RunRequest& request, const Stretch& stretch = {},
                             const RunEvents& events = {}) {
  RunResult of_first;
  run_simulated_ranks(stretch.ranks, [&](ProcessGroup& processes) {
    RunRequest own = request;
    const bool asks = stretch.asking < 0 || stretch.asking == processes.rank();
    if (stretch.rounds > 0 && asks)
      own.stop_requested = [&, asked = 0]() mutable { return ++asked >= stretch.rounds; };
    const RunResult result = run_experiment(own, processes, events, [] {});
    check(stretch.rounds > 0 || result.had_finished || result.outcome == Outcome::kFinished,
          "every rank learns how the run ended");
    if (processes.rank() == 0) of_first = result;
  });
  return of_first;
}

/// As somebody with an editor does it.
inline void change_setting(const std::filesystem::path& folder, const std::string& from,
                           const std::string& to) {
  std::string settings = text_of(folder / "experiment.yaml");
  const std::size_t at = settings.find(from);
  REQUIRE(at != std::string::npos);
  std::ofstream(folder / "experiment.yaml") << settings.replace(at, from.size(), to);
}

inline std::set<std::string> names_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.insert(entry.path().filename().string());
  return names;
}

/// Of two folders of finished runs: the same files, but for a manifest of every start, and the same
/// bytes in those that promise it.
inline void check_same_run(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto results_in = [](const std::filesystem::path& folder) {
    std::set<std::string> names = names_in(folder);
    std::erase_if(names, [](const std::string& name) { return name.starts_with("manifest"); });
    return names;
  };
  const std::set<std::string> names = results_in(a);
  CHECK(names == results_in(b));
  for (const char* const name : {"rounds.csv", "evaluations.csv", "final_parameters.f32"})
    CHECK_FALSE(text_of(a / name).empty());
  for (const std::string& name : names) {
    if (name == "timing.csv" || name.ends_with(".json")) continue;
    CAPTURE(name);
    CHECK(text_of(a / name) == text_of(b / name));
  }
  // What timing.csv measures is new every time, but not which rounds it has.
  CHECK(read_csv(a / "timing.csv").at("round") == read_csv(b / "timing.csv").at("round"));
}

}  // namespace localbatch
