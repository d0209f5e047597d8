#include "run/run_files.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "experiment/fixtures.h"
#include "nn/execution.h"
#include "run/run_fixtures.h"

namespace localbatch {

TEST_CASE("the final parameters are listed with their places") {
  const ScratchFolder scratch;
  const RunResult result = run_alone(
      request(scratch, tiny_experiment(), "out", {"model={name: resnet}", "max_samples=20"}));
  const Columns index = read_csv(result.folder / "final_parameters.csv");
  const std::vector<long> offset = integers(index.at("offset")), size = integers(index.at("size"));
  long next = 0;
  for (std::size_t i = 0; i < offset.size(); ++i) {
    CHECK(offset[i] == next);
    next += size[i];
    long product = 1;
    for (std::istringstream dims(index.at("dims")[i]); dims;) {
      long dim = 1;
      if (dims >> dim) product *= dim;
      dims.ignore();
    }
    CHECK(product == size[i]);
  }
  CHECK(std::filesystem::file_size(result.folder / "final_parameters.f32") == 4 * next);
  CHECK(index.at("name").front() == "conv1.weight");
  CHECK(contains(index.at("name").back(), "running_var"));
}

TEST_CASE("the final parameters are read back, and only as those of the same model") {
  const ScratchFolder scratch;
  write_final_model(scratch.path(),
                    {.tensors = {{.name = "a", .dims = {2, 1}, .size = 2},
                                 {.name = "b", .dims = {1}, .offset = 2, .size = 1}},
                     .values = {0.5F, -1, 3}});
  const auto error = [&](const std::vector<TensorView>& tensors) {
    return input_error([&] { static_cast<void>(read_final_model(scratch.path(), tensors)); });
  };
  const TensorView a{.name = "a", .dims = {2, 1}, .size = 2};
  TensorView b{.name = "b", .dims = {1}, .offset = 2, .size = 1};
  CHECK(read_final_model(scratch.path(), std::vector{a, b}) == std::vector<float>{0.5F, -1, 3});
  CHECK(
      one_line_with(error({a}), {"final_parameters.csv", "line 3: found 'b,1,2,1', expected ''"}));
  b.dims = {1, 1};
  CHECK(one_line_with(error({a, b}), {"line 3: found 'b,1,2,1', expected 'b,1x1,2,1'"}));
  std::filesystem::remove(scratch.path() / "final_parameters.csv");
  CHECK(read_final_model(scratch.path(), std::vector{a, b}).size() == 3);
  CHECK(one_line_with(error({a}), {"final_parameters.f32: found 12 bytes, expected 8"}));
  std::filesystem::remove(scratch.path() / "final_parameters.f32");
  CHECK(one_line_with(error({a}), {"final_parameters.f32: no such file"}));
}

TEST_CASE(
    "precision and algorithm of convolutions stand in the settings and the manifest of a run") {
  const ScratchFolder scratch;
  const RunResult usual = run_alone(request(scratch, tiny_experiment(), "out"));
  const RunResult direct =
      run_alone(request(scratch, tiny_experiment(), "out", {"convolution=direct"}));
  CHECK(
      contains(text_of(usual.folder / "experiment.yaml"), "\nprecision: f32\nconvolution: auto\n"));
  CHECK(contains(text_of(direct.folder / "experiment.yaml"), "\nconvolution: direct\n"));
  CHECK(contains(text_of(usual.folder / "manifest.json"), "\"precision\": \"f32\""));
  CHECK(contains(text_of(usual.folder / "manifest.json"), "\"convolution\": \"auto\""));
  CHECK(contains(text_of(direct.folder / "manifest.json"), "\"convolution\": \"direct\""));
}

TEST_CASE("the manifest says what computes each convolution") {
  const ScratchFolder scratch;
  const auto kernels = [&](const std::string& rule) {
    const RunResult result =
        run_alone(request(scratch, tiny_experiment(), "out",
                          {"model={name: resnet}", "max_samples=20", "convolution=" + rule}));
    return nlohmann::json::parse(text_of(result.folder / "manifest.json"))["kernels"];
  };
  const nlohmann::json ours = kernels("winograd"), direct = kernels("direct");
  REQUIRE(ours.size() == 21);
  REQUIRE(direct.size() == 21);
  CHECK(ours[0]["layer"] == "conv1");
  CHECK(ours[0]["algorithm"] == "direct");
  CHECK(ours[1]["layer"] == "layer1.0.conv1");
  CHECK(ours[1]["algorithm"] == "winograd");
  CHECK(direct[1]["algorithm"] == "direct");
  CHECK(direct[1]["images_per_slice"] >= 1);
}

TEST_CASE("the summary and the manifest of a run are read back") {
  const ScratchFolder scratch;
  const RunResult result = run_alone(request(scratch, tiny_experiment(), "out"));
  CHECK(read_outcome(result.folder) == RunStatus::kFinished);
  CHECK(read_communication(result.folder) == result.communication);
  std::string ranks;
  for (const auto& [key, value] : read_manifest(result.folder / "manifest.json"))
    if (key == "ranks") ranks = value;
  CHECK(ranks == "1");
}

TEST_CASE("a damaged summary is one line with its path and place") {
  const ScratchFolder scratch;
  const std::filesystem::path path = scratch.path() / "summary.json";
  const auto error = [&](const std::string& text) {
    std::ofstream(path) << text;
    return input_error([&] {
      static_cast<void>(read_outcome(scratch.path()));
      static_cast<void>(read_communication(scratch.path()));
    });
  };
  CHECK(one_line_with(error("{"), {path.string()}));
  CHECK(one_line_with(error("[]"), {path.string(), "outcome: found nothing"}));
  CHECK(
      one_line_with(error(R"({"outcome": "stopped"})"), {"found \"stopped\", expected finished"}));
  CHECK(one_line_with(error(R"({"outcome": "finished", "communication": {"state": 3}})"),
                      {path.string(), "communication: "}));
}

TEST_CASE("precision and algorithm change the bytes of a run, and not its direction") {
  const ScratchFolder scratch;
  const auto run = [&](const std::string& setting) {
    return run_alone(request(scratch, tiny_experiment(), "out",
                             {"model={name: resnet}", "max_samples=20", setting}));
  };
  const auto loss = [](const RunResult& result) {
    return std::stod(read_csv(result.folder / "rounds.csv").at("loss").front());
  };
  const RunResult usual = run("convolution=winograd");
  std::vector<std::string> others{"convolution=direct"};
  if (supports_bfloat16())
    others.emplace_back("precision=bf16");
  else
    MESSAGE("bf16 is skipped: this CPU does not compute with it");
  for (const std::string& setting : others) {
    CAPTURE(setting);
    const RunResult other = run(setting);
    CHECK(text_of(other.folder / "final_parameters.f32") !=
          text_of(usual.folder / "final_parameters.f32"));
    CHECK(loss(other) == doctest::Approx(loss(usual)).epsilon(0.02));
  }
}

}  // namespace localbatch
