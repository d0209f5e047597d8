#include <doctest/doctest.h>

#include <set>

#include "comm/thread_process_group.h"
#include "core/part_table.h"
#include "experiment/experiment_file.h"
#include "experiment/fixtures.h"
#include "experiment/run_fixtures.h"

// Every method that can be named in an experiment file has one, and runs like all others. What is
// newly registered joins by its file.

namespace localbatch {

namespace fs = std::filesystem;

namespace {

/// The names that experiment files use, as "part name".
std::set<std::string> used_names() {
  std::set<std::string> used;
  for (const fs::path& path : experiment_files()) {
    const Node file = read_experiment_file(path);
    for (const Declaration& part :
         read_experiment(Options(file), /*cpu_has_bfloat16=*/true).resolved)
      for (const Declaration& key : part.parts)
        if (key.key == "name" || key.key == "partition" || key.key == "chunks")
          used.insert((key.key == "name" ? part.key : key.key) + " " + key.value);
  }
  return used;
}

/// With a small model and few images, because this is not about learning.
RunRequest small_request(const ScratchFolder& scratch, const fs::path& file, int ranks) {
  return {.file = file,
          .settings = {"model={name: mlp, hidden_layers: 1, hidden_features: 8}",
                       "max_samples=8000", "dataset.train_samples=500", "dataset.test_samples=50"},
          .output = scratch.path() / (file.stem().string() + std::to_string(ranks)),
          .force = false,
          .command_line = {}};
}

}  // namespace

TEST_CASE("every registered method is used by an experiment file") {
  const std::set<std::string> used = used_names();
  const auto check_table = [&used](const std::string& part, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      CAPTURE(part);
      CAPTURE(name);
      CHECK(used.contains(part + " " + name));
    }
  };
  check_table("problem", part_names(problem_table()));
  check_table("inner_optimizer", part_names(inner_optimizer_table()));
  check_table("outer_optimizer", part_names(outer_optimizer_table()));
  check_table("learning_rate", part_names(learning_rate_table()));
  check_table("learning_rate_coupling", part_names(learning_rate_coupling_table()));
  check_table("sync_interval", part_names(sync_interval_table()));
  check_table("partition", part_names(partition_table()));
  check_table("chunks", {"workers", "micro_batches", "samples", "delta"});
  check_table("batch_size_controller", part_names(batch_size_controller_table()));
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
  CHECK(files >= 22);
}

TEST_CASE("a partition that leaves a worker without images is refused before anything is written") {
  const ScratchFolder scratch;
  const RunRequest lonely = request(
      scratch, tiny_experiment(), "out",
      {"dataset={name: synthetic, train_samples: 2, test_samples: 1, partition: by_class}"});
  CHECK_THROWS_WITH_AS(run_alone(lonely),
                       "dataset.partition: worker 0 of 3 would get no training image; use fewer "
                       "workers, another seed or a more even partition",
                       InputError);
  CHECK_FALSE(fs::exists(scratch.path() / "out"));
}

}  // namespace localbatch
