// What commands print with --json: one document on standard output and nothing else.

#include <doctest/doctest.h>

#include "apps/program_fixture.h"
#include "core/json.h"
#include "core/machine.h"

namespace localbatch {

namespace {

/// The document that `arguments` print; the program ends with `status`.
Json document_of(const ProgramFixture& program, const std::string& arguments, int status = 0,
                 const std::string& launcher = {}) {
  const Finished finished = program.run(arguments, launcher);
  CAPTURE(arguments);
  CHECK(finished.status == status);
  CHECK(finished.errors.empty());
  CHECK_FALSE(has_control_characters(finished.out));
  return parse_json(finished.out, arguments);
}

void add_sweep(const ProgramFixture& program) {
  std::ofstream(program.path("sweep.yaml"))
      << text_of(program.path("tiny.yaml")) << "sweep: {seed: [1, 2]}\n";
}

}  // namespace

TEST_CASE("status --json: state, samples and seconds of every cell, of every source") {
  const ProgramFixture program;
  add_sweep(program);
  REQUIRE(program.run("run sweep.yaml --cell 2").status == 0);
  const Json sources = document_of(program, "status sweep.yaml results --json").at("sources");
  REQUIRE(sources.size() == 2);
  const Json& cells = sources[0].at("runs");
  REQUIRE(cells.size() == 2);
  CHECK(cells[0].at("state") == "waiting");
  CHECK(cells[1].at("state") == "finished");
  CHECK(cells[1].at("cell") == 2);
  CHECK(cells[1].at("coordinates").at("seed") == "2");
  CHECK(cells[1].at("samples") == cells[1].at("max_samples"));
  CHECK(cells[1].at("seconds") > 0);
  CHECK(sources[1].at("source") == "results");
  CHECK(sources[1].at("runs")[0].at("cell").is_null());
}

TEST_CASE("doctor --json: one document of all ranks, also where a run would be refused") {
  const ProgramFixture program;
  const Json alone = document_of(program, "doctor tiny.yaml --json");
  CHECK(alone.at("would_start") == true);
  CHECK(alone.at("workers") == 2);
  CHECK(alone.at("ranks")[0].at("host") == host_name());
  CHECK(alone.at("ranks")[0].at("memory_bytes") > 0);
  const Json two = document_of(program, "doctor tiny.yaml --json", 0, LOCALBATCH_MPIRUN " 2");
  CHECK(two.at("ranks").size() == 2);
  const Json refused = document_of(program, "doctor tiny.yaml --json", 2,
                                   "env SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=0");
  CHECK(refused.at("would_start") == false);
  const Json& findings = refused.at("findings");
  CHECK(std::ranges::any_of(findings, [](const Json& found) {
    return found.at("severity") == "refusal" && !found.at("text").empty();
  }));
}

TEST_CASE("table --json: figures with their units in the keys, and the runs they are of") {
  const ProgramFixture program;
  add_sweep(program);
  REQUIRE(program.run("run sweep.yaml --cell 1").status == 0);
  const Json table = document_of(
      program, "table sweep.yaml --json --columns rounds,best_test_accuracy,waiting_seconds");
  CHECK(table.at("columns").size() == 3);
  REQUIRE(table.at("cells").size() == 1);
  const Json& cell = table.at("cells")[0];
  CHECK(cell.at("figures").at("rounds").at("n") == 1);
  CHECK(cell.at("figures").at("best_test_accuracy_percent").at("mean") >= 0);
  CHECK(cell.at("figures").at("rounds").at("standard_deviation").is_null());
  CHECK(cell.at("runs")[0].at("state") == "finished");
  CHECK(cell.at("runs")[1].at("state") == "missing");
  const Json with_target =
      document_of(program, "table sweep.yaml --json --columns rounds --target test_accuracy=0");
  CHECK(with_target.at("target") == "test_accuracy >= 0");
  const Json& reached = with_target.at("cells")[0].at("figures").at("target_samples");
  CHECK(reached.at("mean") > 0);
  CHECK(reached.at("reached") == 1);
  CHECK(reached.at("not_reached") == 0);
  std::ofstream(program.path("pair.yaml"))
      << text_of(program.path("tiny.yaml"))
      << "sweep: {schedule: {small: {batch_size.initial: 4}, large: {batch_size.initial: 8}}}\n";
  REQUIRE(program.run("run pair.yaml").status == 0);
  const Json against =
      document_of(program, "table pair.yaml --json --columns samples --against small")
          .at("differences");
  CHECK(against.at("against") == "small");
  const Json& difference = against.at("cells").at(0).at("figures").at("samples");
  CHECK(difference.at("mean_difference") == 0);
  CHECK(difference.at("interval_low").is_null());
  CHECK(difference.at("seeds").size() == 1);
  const Finished both = program.run("table sweep.yaml --json --write out");
  CHECK(both.status == 2);
  CHECK(contains(both.errors.front(), "--json: found with --write"));
}

TEST_CASE("describe --json: parts, keys with schemas of their values, columns, a network") {
  const ProgramFixture program;
  const Json all = document_of(program, "describe --json");
  CHECK(all.at("parts").size() > 30);
  CHECK(all.at("curves").size() == 7);
  const Json eta = document_of(program, "describe eta --json").at("keys")[0];
  CHECK(eta.at("name") == "norm_test");
  CHECK(eta.at("required") == false);
  CHECK(eta.at("schema").at("type") == "number");
  CHECK(eta.at("schema").at("minimum") == 0.001);
  CHECK(eta.at("schema").at("default") == 0.8);
  const Json column = document_of(program, "describe global_batch_size --json").at("curves")[0];
  CHECK(column.at("file") == "rounds.csv");
  CHECK(column.at("columns")[0].at("unit") == "samples");
  const Json network =
      document_of(program, "describe tiny.yaml --json --set model='{name: resnet}'").at("network");
  CHECK(network.at("parameters") == 272474);
  CHECK(network.at("convolutions")[0].at("images_per_slice") > 0);
  check_refused(program, "describe tiny.yaml --json --resolved", {"--json: found with --resolved"});
}

TEST_CASE("--help of a command that prints JSON says so") {
  const ProgramFixture program;
  for (const char* const command : {"status", "doctor", "table", "describe"}) {
    CAPTURE(command);
    CHECK(contains(program.run(std::string(command) + " --help").out, "one JSON document"));
  }
}

}  // namespace localbatch
