#include <doctest/doctest.h>

#include <set>

#include "comm/thread_process_group.h"
#include "experiment/sweep.h"
#include "run/method_fixtures.h"
#include "run/run_fixtures.h"

// Every method that can be named in an experiment file has one, and runs like all others. What is
// newly registered joins by its file.

namespace localbatch {

namespace fs = std::filesystem;

namespace {

RunRequest small_request(const ScratchFolder& scratch, const fs::path& file, int ranks) {
  return {.file = file,
          .settings = small_network_settings(file, 8000),
          .output = scratch.path() / (file.stem().string() + std::to_string(ranks)),
          .force = false,
          .command_line = {}};
}

}  // namespace

TEST_CASE("every registered method is used by an experiment file") {
  std::set<std::string> used;
  for (const fs::path& path : experiment_files())
    for (const SweepCell& cell : sweep_cells(read_experiment_file(path)))
      used.merge(methods_of(read_experiment(Options(cell.experiment), /*cpu_has_bfloat16=*/true)));
  for (const std::string& method : registered_methods())
    CHECK_MESSAGE(used.contains(method), method);
}

TEST_CASE("every method leaves the same bytes on one rank and on three") {
  const ScratchFolder scratch;
  int files = 0;
  for (const auto& entry :
       fs::directory_iterator(fs::path(LOCALBATCH_SOURCE_DIR) / "experiments" / "methods")) {
    CAPTURE(entry.path().filename().string());
    const fs::path alone = run_alone(small_request(scratch, entry.path(), 1)).folder;
    fs::path spread;
    run_simulated_ranks(3, [&](ProcessGroup& processes) {
      const RunResult result =
          run_experiment(small_request(scratch, entry.path(), 3), processes, {}, [] {});
      if (processes.rank() == 0) spread = result.folder;
    });
    for (const char* const name : {"rounds.csv", "evaluations.csv", "final_parameters.f32"})
      CHECK_FALSE(text_of(alone / name).empty());
    for (const auto& file : fs::directory_iterator(alone)) {
      const fs::path name = file.path().filename();
      if (name == "timing.csv" || name.extension() == ".json") continue;
      CAPTURE(name.string());
      CHECK(text_of(alone / name) == text_of(spread / name));
    }
    ++files;
  }
  CHECK(files >= 24);
}

TEST_CASE("a partition that leaves a worker without images is refused before anything is written") {
  const ScratchFolder scratch;
  const RunRequest lonely = request(
      scratch, tiny_experiment(), "out",
      {"dataset={name: synthetic, train_samples: 2, test_samples: 1, partition: by_class}"});
  CHECK_THROWS_WITH_AS(run_alone(lonely),
                       "dataset.partition: worker 0 of 3 would get no training images; use fewer "
                       "workers, another seed or a more even partition",
                       InputError);
  CHECK_FALSE(fs::exists(scratch.path() / "out"));
}

}  // namespace localbatch
