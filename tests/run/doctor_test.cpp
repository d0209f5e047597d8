#include "doctor/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "comm/thread_process_group.h"
#include "core/machine.h"
#include "doctor/rank_fixtures.h"
#include "run/requested_run.h"
#include "run/run_fixtures.h"

namespace localbatch {

namespace fs = std::filesystem;

TEST_CASE("facts of a rank survive the journey, whatever bytes its environment has") {
  RankFacts facts = healthy_rank("n1", {0, 2, 5}, {{"OMP_PLACES", "{0:4}, \"x\""}});
  facts.rank = 3;
  facts.num_ranks = 7;
  facts.memory_bytes = std::uint64_t{1} << 45;
  facts.available_bytes = 5;
  const RankFacts read = rank_facts_from(to_text(facts));
  CHECK(to_text(read) == to_text(facts));
  CHECK(read.rank == 3);
  CHECK(read.num_ranks == 7);
  CHECK(read.host == "n1");
  CHECK(read.cores == std::vector{0, 2, 5});
  CHECK(read.reachable_cores == 8);
  CHECK(read.memory_bytes == std::uint64_t{1} << 45);
  CHECK(read.environment == facts.environment);
  CHECK(read.mpi == "Open MPI v4.1.4");
  facts.environment["OMP_PLACES"] = "\xff";
  CHECK_NOTHROW(rank_facts_from(to_text(facts)));
}

TEST_CASE("what another version does not say is unknown") {
  const RankFacts read = rank_facts_from(R"({"rank":1,"color":"blue"})");
  CHECK(read.rank == 1);
  CHECK(read.num_ranks == 1);
  CHECK(read.cores.empty());
}

TEST_CASE("every rank learns what all ranks know, in their order") {
  run_simulated_ranks(3, [](ProcessGroup& processes) {
    const std::vector<RankFacts> ranks = gather_facts(processes);
    REQUIRE(ranks.size() == 3);
    for (int rank = 0; rank < 3; ++rank) {
      CHECK(ranks[rank].rank == rank);
      CHECK(ranks[rank].num_ranks == 3);
      CHECK(ranks[rank].host == host_name());
      CHECK(static_cast<int>(ranks[rank].cores.size()) == available_cores());
    }
  });
}

TEST_CASE("numbers are written as ranges, and long lists are cut") {
  const auto ranges = [](std::vector<int> numbers) { return number_ranges(numbers); };
  CHECK(ranges({}).empty());
  CHECK(ranges({3}) == "3");
  CHECK(ranges({0, 1, 2, 3, 8, 10, 11}) == "0-3,8,10-11");
  CHECK(ranges({0, 2, 4, 6, 8, 10, 12, 14, 16, 18}) == "0,2,4,6,8,10,12,14,...");
}

TEST_CASE("the plan of an experiment file is that of its run") {
  const ScratchFolder scratch;
  const RunRequest asked = request(scratch, tiny_experiment(), "out",
                                   {"threads_per_worker=2", "model.hidden_features=4"});
  const Launch launch = read_launch(asked);
  CHECK(launch.workers == 3);
  CHECK(launch.threads_per_worker == 2);
  CHECK(launch.network);
  CHECK(launch.command ==
        "localbatch run " + asked.file.string() +
            " --set threads_per_worker=2 --set model.hidden_features=4 --output " +
            asked.output.string());
  CHECK_FALSE(fs::exists(launch.output));
  RunRequest of_sweep = request(scratch, tiny_experiment() + "sweep: {seed: [1, 2]}\n", "s", {});
  of_sweep.cell = 2;
  CHECK(read_launch(of_sweep).command == "localbatch run " + of_sweep.file.string() +
                                             " --cell 2 --output " + of_sweep.output.string());
#ifndef __SANITIZE_THREAD__  // libgomp is not instrumented: its barriers would look like races
  CHECK(run_alone(asked).folder == launch.output);
#endif

  const Launch problem =
      read_launch(request(scratch,
                          "workers: 2\nthreads_per_worker: 4\nmax_samples: 9\n"
                          "problem: {name: quadratic}\nlearning_rate: {peak: 0.1}\n",
                          "p", {"sync_interval={name: constant, H: 2}"}));
  CHECK(problem.threads_per_worker == 1);
  CHECK_FALSE(problem.network);
  CHECK(contains(problem.command, "--set \"sync_interval={name: constant, H: 2}\""));
  CHECK(contains(
      input_error([&] { read_launch(request(scratch, tiny_experiment(), "q", {"workrs=2"})); }),
      "workrs"));
}

TEST_CASE("before a run warnings are said, and a refusal ends it") {
  const ScratchFolder scratch;
  std::vector<std::string> warnings;
  const auto look = [&](const std::vector<RankFacts>& ranks, const Launch& launch) {
    warnings.clear();
    act_on(examine(ranks, launch), [&](const std::string& text) { warnings.push_back(text); });
  };
  std::vector<RankFacts> ranks =
      job({healthy_rank("n1", cores(0, 4)), healthy_rank("n1", cores(4, 8))});
  const Launch launch{.workers = 7, .output = scratch.path() / "out"};
  look(ranks, launch);  // 7 workers on two ranks: a note, which nobody hears
  CHECK(warnings.empty());

  ranks[1].cpu = "Xeon";
  ranks[1].environment = {{"OMP_THREAD_LIMIT", "0"}};
  look(ranks, launch);
  REQUIRE(warnings.size() == 2);
  CHECK(contains(warnings[0], "; unset OMP_THREAD_LIMIT"));
  CHECK(contains(warnings[1], "Xeon"));

  ranks[1].onednn = "3.1";
  CHECK(contains(input_error([&] { look(ranks, launch); }), "versions of oneDNN"));
  CHECK(warnings.empty());
}

#ifndef __SANITIZE_THREAD__
TEST_CASE("a run says its warnings once, before it starts") {
  const ScratchFolder scratch;
  std::vector<std::string> said;
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const RunRequest both =
      request(scratch, tiny_experiment(), "out", {fmt::format("threads_per_worker={}", cores)});
  run_simulated_ranks(2, [&](ProcessGroup& processes) {
    const RunEvents events{.on_start = [&](const RunStart&) { said.emplace_back("start"); },
                           .on_warning = [&](const std::string& text) { said.push_back(text); }};
    run_experiment(both, processes, events, [] {});
  });
  REQUIRE(said.size() == 2);
  CHECK(contains(said[0], fmt::format("{} threads of ranks 0-1", 2 * cores)));
  CHECK(said[1] == "start");
}
#endif

}  // namespace localbatch
