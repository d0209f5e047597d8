// 'localbatch plan' as a person starts it.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "apps/program_fixture.h"

namespace localbatch {

namespace {

/// One that needs no measurement.
const std::string kPlan = "plan tiny.yaml --samples-per-second 1000 ";

}  // namespace

TEST_CASE("plan prints parameters, memory, traffic and seconds, and writes nothing") {
  const ProgramFixture program;
  const Finished finished = program.run(kPlan + "--hosts 2 --bandwidth 200mbit --latency 0.001");
  CHECK(finished.status == 0);
  CHECK(finished.errors.empty());
  CHECK_FALSE(has_control_characters(finished.out));
  for (const char* const part :
       {"tiny: 2 workers of 1 thread on 2 ranks and 2 hosts", "30730", "forward and backward",
        "24 MiB", "memory of a rank", "execution slots", "on disk: a checkpoint", "a round sends",
        "between hosts", "rounds that look at gradients", "as the file says", "with constant H",
        "the local batch follows from gradients: this holds as long as it stays 4"})
    CHECK_MESSAGE(contains(finished.out, part), finished.out);
  CHECK_FALSE(fs::exists(program.path("results")));
  CHECK(contains(program.run(kPlan).out, "nothing: one process; --ranks R asks for more"));
}

TEST_CASE("plan measures the speed of training if nobody gives it") {
  const ProgramFixture program;
  const Finished finished = program.run("plan tiny.yaml");
  CHECK(finished.status == 0);
  CHECK(contains(finished.out, "samples per second of a worker, measured now"));
}

TEST_CASE("plan measures steps on tokens too") {
  const ProgramFixture program;
  const Finished finished = program.run(
      "plan tiny.yaml --set 'dataset={name: generated_text, sequence_length: 16}' "
      "--set 'model={name: gpt, layers: 1, width: 32, heads: 2}'");
  CHECK(finished.status == 0);
  CHECK(contains(finished.out, "samples per second of a worker, measured now"));
}

TEST_CASE("plan says so when other programs took cores while it measured") {
  const ProgramFixture program;
  const Finished finished = program.run(
      "plan tiny.yaml",
      R"(bash -c 'while :; do :; done & spin=$!; "$0" "$@"; s=$?; kill $spin; exit $s')");
  CHECK(finished.status == 0);
  REQUIRE_FALSE(finished.errors.empty());
  CHECK(contains(finished.errors.back(), "of the cores while the speed was measured"));
}

TEST_CASE("plan beside a run: its speed, what it took, and JSON") {
  const ProgramFixture program;
  REQUIRE(program.run("run tiny.yaml").status == 0);
  const std::string folder =
      "results/tiny/" +
      fs::directory_iterator(program.path("results/tiny"))->path().filename().string();
  const Finished finished = program.run("plan tiny.yaml --speed-from " + folder + " --measured " +
                                        folder + " --json plan.json");
  CHECK(finished.status == 0);
  for (const char* const part : {"predicted", "measured", "error %", "compute seconds", "waited"})
    CHECK_MESSAGE(contains(finished.out, part), finished.out);
  const auto json = nlohmann::json::parse(text_of(program.path("plan.json")));
  CHECK(json.at("measured_run").at("seconds") > 0);
  CHECK(json.at("samples_per_second_of_a_worker") > 0);
  const Finished other = program.run(kPlan + "--set seed=5 --measured " + folder);
  CHECK(other.status == 2);
  REQUIRE(other.errors.size() == 1);
  CHECK(contains(other.errors.front(), "other settings: seed is 1 there and 5 here"));
}

TEST_CASE("plan --replay has a row for each run, and every round in files") {
  const ProgramFixture program;
  REQUIRE(program.run("run tiny.yaml").status == 0);
  REQUIRE(program.run("run tiny.yaml --set seed=2").status == 0);
  const Finished finished = program.run(
      "plan --replay results --bandwidth 100mbit --latency 0.05 --json out.json --csv out.csv");
  CHECK(finished.status == 0);
  CHECK(finished.errors.empty());
  CHECK_FALSE(has_control_characters(finished.out));
  for (const char* const part :
       {"predicted: local batches and H are those of the runs", "by timing.csv of each run",
        "12 MiB per second of a host's link, 0.05 s for a message, as given", "not counted",
        "average b", "busiest link", "communication s", "  results/tiny/seed=2-"})
    CHECK_MESSAGE(contains(finished.out, part), finished.out);
  const auto json = nlohmann::json::parse(text_of(program.path("out.json")));
  REQUIRE(json.at("runs").size() == 2);
  const auto& run = json.at("runs").at(0);
  CHECK(run.at("hosts") == 2);  // one for each worker
  const std::vector<std::string> rows = lines_of(text_of(program.path("out.csv")));
  CHECK(rows.size() == 1 + 2 * run.at("rounds").get<std::size_t>());
  // Four waits of each round at the least.
  CHECK(run.at("predicted_seconds") > 4 * 0.05 * run.at("rounds").get<double>());
  const std::string folder = run.at("folder");
  const Finished given =
      program.run("plan --replay " + folder + " --hosts 1 --cores 2 --samples-per-second 64");
  CHECK(contains(given.out, "64 samples per second of a worker, as given"));
  CHECK(contains(given.out, " 0.000 "));  // inside a host
  CHECK(program.run("plan --replay results --speed-from " + folder).status == 0);
  check_refused_beside(program, "plan --replay " + folder + " " + folder, {"' twice"});
  fs::remove(program.path(folder) / "timing.csv");
  check_refused_beside(program, "plan --replay " + folder,
                       {"shows no time of training, expected --samples-per-second"});
  check_refused_beside(program, "plan --replay results --json none/x", {"--json: found"});
  check_refused_beside(program, "plan --replay results --hosts 3", {"found 3 ranks"});
}

TEST_CASE("plan takes latency and bandwidth from a file, and stays near what was measured") {
  const ProgramFixture program;
  std::ofstream(program.path("net.yaml"))
      << "latency_seconds: 0.001\nbandwidth_bytes_per_second: 1.25e8\nhosts: 2\n"
         "largest_bytes: 1000000\n";
  const Finished from_file = program.run(kPlan + "--hosts 2 --network-file net.yaml");
  CHECK(from_file.status == 0);
  CHECK(from_file.out == program.run(kPlan + "--hosts 2 --bandwidth 1gbit --latency 1e-3").out);
  check_refused(program, kPlan + "--network-file net.yaml --latency 1",
                {"--network-file: found together with --latency"});
  const std::string far = kPlan + "--set workers=9 --hosts 9 --network-file net.yaml";
  check_refused(program, far, {"net.yaml: was measured between 2 hosts, found 9"});
  CHECK(program.run(far + " --extrapolate").status == 0);
  std::ofstream(program.path("bad.yaml")) << "latency_second: 0.001\n";
  check_refused(program, kPlan + "--network-file bad.yaml", {"bad.yaml:1:1", "latency_seconds"});
}

TEST_CASE("mistakes in a plan are refused in one line") {
  const ProgramFixture program;
  check_refused(program, "plan", {"an experiment file is missing"});
  check_refused(program, "plan none.yaml", {"none.yaml"});
  check_refused(program, "plan tiny.yaml other", {"found 'tiny.yaml' and 'other'", "--replay"});
  check_refused(program, "plan --replay", {"--replay: found no folder"});
  check_refused(program, "plan --replay none", {"none: holds no run"});
  check_refused(program, "plan --replay . --set seed=2", {"--replay: found with --set"});
  check_refused(program, kPlan + "--csv x.csv", {"--csv: found without --replay"});
  check_refused(program, kPlan + "--bandwidth 1gbti", {"(did you mean 'gbit'?)"});
  check_refused(program, kPlan + "--set workrs=2", {"unknown key", "did you mean 'workers'?"});
  check_refused(program, kPlan + "--ranks 3", {"found 3 ranks", "as workers, 2"});
  check_refused(program, kPlan + "--ranks 0", {"--ranks: found 0, allowed is 1 .. 65536"});
  check_refused(program, kPlan + "--ranks 1 --hosts 2", {"--hosts: found 2", "ranks, 1"});
  for (const char* const rate : {"fast", "1gbyte", "0", "inf", "1e400gbit", "''"})
    check_refused(program, kPlan + "--bandwidth " + rate,
                  {"--bandwidth: found '", "such as 1gbit"});
  check_refused(program, kPlan + "--latency=-1", {"--latency: found -1"});
  check_refused(program, "plan tiny.yaml --samples-per-second 0",
                {"--samples-per-second: found 0"});
  check_refused(program, kPlan + "--speed-from .", {"--speed-from: found together"});
  check_refused(program, "plan tiny.yaml --speed-from .", {"holds no finished run"});
  check_refused(program, kPlan + "--json none/plan.json", {"--json: found 'none/plan.json'"});
  check_refused(program, kPlan + "--set 'dataset={name: cifar10, root: none}'", {"none"});
}

}  // namespace localbatch
