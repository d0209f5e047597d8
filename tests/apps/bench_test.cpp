// 'localbatch bench' as a person starts it.

#include <doctest/doctest.h>

#include "apps/program_fixture.h"
#include "core/json.h"

namespace localbatch {

namespace {

constexpr const char* kShort = " --model resnet20 --batch 8 --seconds 0.2 --json out.json";

/// Warnings about other programs are all that a good run may say on standard error: test machines
/// are busy.
void check_good(const Finished& finished) {
  CHECK(finished.status == 0);
  for (const std::string& line : finished.errors)
    CHECK_MESSAGE(contains(line, "localbatch: warning: bench: other programs used"), line);
  CHECK_FALSE(has_control_characters(finished.out));
}

}  // namespace

TEST_CASE("bench train prints a table and writes the same numbers") {
  const ProgramFixture program;
  const Finished finished =
      program.run(std::string("bench train --precision f32 --threads 2") + kShort);
  check_good(finished);
  CHECK(contains(finished.out, "images/s"));
  CHECK(contains(finished.out, "peak f32"));
  const Json json = Json::parse(text_of(program.path("out.json")));
  REQUIRE(json["train"].size() == 1);
  const Json& train = json["train"][0];
  CHECK(train["network"] == "resnet20");
  CHECK(train["batch"] == 8);
  CHECK(train["precision"] == "f32");
  CHECK(train["threads"] == 2);
  CHECK(train["images_per_second"] > 0);
  CHECK(train["share_of_peak"] > 0);
  CHECK(train["share_of_limit"] > 0);
  CHECK(json["peak_gflops"]["f32"] > 0);
  CHECK(json.contains("foreign_load"));
  CHECK(json["sync"].empty());
  CHECK(json["data"].is_null());
}

TEST_CASE("bench train counts tokens where a network reads them") {
  const ProgramFixture program;
  check_good(
      program.run("bench train --model gpt_4x128,resnet20 --batch 2 --precision f32 "
                  "--seconds 0.05 --json out.json"));
  const Json json = Json::parse(text_of(program.path("out.json")));
  REQUIRE(json["train"].size() == 2);
  CHECK(json["train"][0]["tokens_per_second"] > 0);
  CHECK(json["train"][0]["images_per_second"].is_null());
  CHECK(json["train"][1]["images_per_second"] > 0);
}

TEST_CASE("bench conv and --tune refuse networks on tokens alone") {
  const ProgramFixture program;
  check_refused(program, "bench conv --model gpt_4x128,llama_4x128",
                {"conv: found 'gpt_4x128,llama_4x128'", "expected a network with convolutions"});
  check_refused(program, "bench --tune k.yaml --model stories15m",
                {"--tune: found 'stories15m'", "expected a network with convolutions"});
}

TEST_CASE("bench train data also says what share of a step the data take") {
  const ProgramFixture program;
  check_good(
      program.run(std::string("bench train data --precision f32 --convolution direct") + kShort));
  const Json json = Json::parse(text_of(program.path("out.json")));
  CHECK(json["train"][0]["convolution"] == "direct");
  const double step = json["train"][0]["images_per_second"];
  const double data = json["data"]["images_per_second"];
  CHECK(json["data"]["share_of_step"] == doctest::Approx(step / data));
}

TEST_CASE("bench sync averages over the workers of one process and of a job") {
  const ProgramFixture program;
  check_good(program.run(std::string("bench sync --workers 3") + kShort));
  Json sync = Json::parse(text_of(program.path("out.json")))["sync"];
  REQUIRE(sync.size() == 1);
  CHECK(sync[0]["workers"] == 3);
  CHECK(sync[0]["ranks"] == 1);

  const Finished job =
      program.run(std::string("bench sync --payload int8") + kShort, LOCALBATCH_MPIRUN " 2");
  check_good(job);
  const std::vector<std::string> lines = lines_of(job.out);
  CHECK(std::ranges::count_if(
            lines, [](const std::string& line) { return contains(line, "resnet20"); }) == 1);
  sync = Json::parse(text_of(program.path("out.json")))["sync"];
  CHECK(sync[0]["payload"] == "int8");
  CHECK(sync[0]["workers"] == 2);
  CHECK(sync[0]["ranks"] == 2);
  CHECK(sync[0]["median_seconds"] > 0);
}

TEST_CASE("bench --tune writes kernels that bench and an experiment take") {
  const ProgramFixture program;
  const Finished finished = program.run(
      "bench --tune kernels.yaml --model resnet20 --batch 4 --seconds 0.01 --threads 2");
  check_good(finished);
  CHECK(contains(finished.out, "16x32x32 -> 32, 3x3/2"));
  const std::string text = text_of(program.path("kernels.yaml"));
  CHECK(contains(text, "resnet20, f32, convolution auto, micro-batch 4, 2 threads"));
  const std::vector<std::string> lines = lines_of(text);
  CHECK(std::ranges::count_if(lines, [](const std::string& line) {
          return line.starts_with("  - {channels:");
        }) == 8);

  check_good(
      program.run("bench train --model resnet20 --batch 4 --seconds 0.01 --precision f32 "
                  "--kernels kernels.yaml --json out.json"));
  CHECK(Json::parse(text_of(program.path("out.json")))["kernels"] == "kernels.yaml");
  const Finished run = program.run(
      "run tiny.yaml --set kernels=kernels.yaml --set model.name=resnet --set max_samples=16 "
      "--set batch_size.micro_batch=4 --set batch_norm_at_sync=recompute --output out");
  CHECK(run.status == 0);
  CHECK(run.errors.empty());
  const fs::path cell = fs::directory_iterator(program.path("out") / "tiny")->path();
  CHECK(text_of(cell / "kernels.yaml") == text);
}

TEST_CASE("bench --tune refuses what one file of kernels cannot be about") {
  const ProgramFixture program;
  check_refused(program, "bench train --tune k.yaml", {"--tune: found together with train"});
  check_refused(program, "bench --tune k.yaml --json out.json", {"found together with --json"});
  check_refused(program, "bench --tune none/k.yaml", {"--tune: found 'none/k.yaml'"});
  check_refused(program, "bench --tune k.yaml",
                {"different micro-batches", "--batch or one --model"});
  check_refused(program, "bench train --kernels none.yaml", {"none.yaml"});
}

TEST_CASE("bench: only sync is for several ranks") {
  const ProgramFixture program;
  const auto refusals = [&program](const std::string& arguments) {
    const Finished finished = program.run("bench " + arguments, LOCALBATCH_MPIRUN " 2");
    CHECK(finished.status == 2);
    return std::ranges::count_if(finished.errors, [](const std::string& line) {
      return line.starts_with("localbatch: bench: ");
    });
  };
  CHECK(refusals("train") == 1);
  CHECK(refusals("sync --strict") == 1);
  CHECK(refusals("sync --workers 1") == 1);
}

TEST_CASE("bench: mistakes in the command line are refused in one line before measuring") {
  const ProgramFixture program;
  check_refused(program, "bench sync --fit", {"--fit: found 1 rank, expected one on each"});
  check_refused(program, "bench --fit", {"--fit: found no measurement, expected 'sync' alone"});
  check_refused(program, "bench sync data --fit", {"--fit: found sync data, expected 'sync'"});
  check_refused(program, "bench sync --fit --model resnet20", {"found together with --model"});
  check_refused(program, "bench sync --output x", {"--output: found without --fit"});
  check_refused(program, "bench sync --fit --output no/x", {"--output: found 'no/x'"});
  check_refused(program, "bench trian", {"found 'trian'", "did you mean 'train'?"});
  check_refused(program, "bench train --model resnet20,resnet19",
                {"--model: found 'resnet19'", "resnet20 | resnet18 | resnet50"});
  check_refused(program, "bench train --model ''", {"--model: "});
  check_refused(program, "bench train --batch 0", {"--batch: found 0, allowed is 1 .. 65536"});
  check_refused(program, "bench train --batch many", {"many"});
  check_refused(program, "bench train --threads -1", {"--threads: found -1, allowed is 1 .. 1024"});
  check_refused(program, "bench train --seconds nan", {"--seconds: found nan"});
  check_refused(program, "bench train --precision f64", {"--precision: found 'f64'", "f32 | bf16"});
  check_refused(program, "bench train --convolution winogard", {"did you mean 'winograd'?"});
  std::ofstream(program.path("kernels.yaml"))
      << "convolutions:\n  - {channels: 16, filters: 16, height: 32, width: 32, kernel: 3, "
         "stride: 1, padding: 1, algorithm: winograd, images_per_slice: 1}\n";
  check_refused(
      program, "bench train --convolution direct --kernels kernels.yaml",
      {"--kernels: found winograd in kernels.yaml:2:5", "--convolution direct is direct"});
  check_refused(program, "bench train --json none/out.json", {"--json: found 'none/out.json'"});
  check_refused(program, "bench train --json .", {"--json: found '.'"});
  check_refused(program, "bench train --fast", {"fast"});
}

TEST_CASE("bench --strict ends with status 1 when other programs are busy") {
  const ProgramFixture program;
  // More than an eighth of the cores; the time limit is for the case that this test is killed.
  const Finished finished =
      program.run("bench data --strict --json out.json",
                  "sh -c 'for i in $(seq $(($(nproc) / 8 + 1))); do"
                  " timeout 30 sh -c \"while :; do :; done\" & pids=\"$pids $!\"; done;"
                  " \"$@\"; status=$?; kill $pids; exit $status' x");
  CHECK(finished.status == 1);
  REQUIRE(finished.errors.size() == 1);
  CHECK(contains(finished.errors.front(), "other programs used"));
  CHECK_FALSE(fs::exists(program.path("out.json")));
}

TEST_CASE("bench sync --fit prints each length and writes what plan reads") {
  const ProgramFixture program;
  const Finished finished =
      program.run("bench sync --fit --seconds 0.05 --output net.yaml", LOCALBATCH_MPIRUN " 2");
  CHECK(finished.status == 0);
  for (const char* const part :
       {"2 workers of 2 ranks on one host", "its memory, no network", "residual %", "1024 numbers",
        "4194304 numbers", "4.0 KiB", "16 MiB", "latency", "bandwidth"})
    CHECK_MESSAGE(contains(finished.out, part), finished.out);
  const std::string text = text_of(program.path("net.yaml"));
  CHECK(contains(text, "\nhosts: 2\nlargest_bytes: 16777216\n"));
  CHECK(program.run("plan tiny.yaml --hosts 2 --samples-per-second 9 --network-file net.yaml")
            .status == 0);
}

}  // namespace localbatch
