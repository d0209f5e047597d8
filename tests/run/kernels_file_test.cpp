#include "nn/kernels_file.h"

#include <doctest/doctest.h>

#include "bench/tune_kernels.h"
#include "experiment/fixtures.h"
#include "run/run_fixtures.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

/// An entry for the first convolutions of ResNet-20's body on images of 32x32.
std::string entry(const std::string& algorithm, int images_per_slice) {
  return "  - {channels: 16, filters: 16, height: 32, width: 32, kernel: 3, stride: 1, padding: 1, "
         "algorithm: " +
         algorithm + ", images_per_slice: " + std::to_string(images_per_slice) + "}\n";
}

std::string parse_error(const std::string& text) {
  return input_error([&] { parse_kernels(text, "k.yaml"); });
}

/// Two local steps of a ResNet-20, with these further settings.
RunRequest resnet_request(const ScratchFolder& scratch, const std::string& output,
                          std::vector<std::string> settings) {
  for (const char* const setting : {"model={name: resnet, depth: 20}", "max_samples=24",
                                    "workers=2", "batch_size={initial: 6, max: 6, micro_batch: 4}",
                                    "batch_size_controller={}", "sync_interval.H=1"})
    settings.emplace_back(setting);
  return request(scratch, tiny_experiment(), output, settings);
}

fs::path write(const ScratchFolder& scratch, const std::string& name, const std::string& text) {
  std::ofstream(scratch.path() / name) << text;
  return scratch.path() / name;
}

}  // namespace

TEST_CASE("a file of kernels holds a choice for each of its convolutions") {
  const KernelChoices choices =
      parse_kernels("# when and where\nconvolutions:\n" + entry("winograd", 3) +
                        "  - {channels: 3, filters: 64, height: 24, width: 20, kernel: 7, "
                        "stride: 2, padding: 3, algorithm: direct, images_per_slice: 1}\n",
                    "k.yaml");
  REQUIRE(choices.size() == 2);
  CHECK(choices[0].choice == KernelChoice{true, 3});
  CHECK(choices[0].where == "k.yaml:3:5");
  const ConvolutionShape first{
      .src = {3, 24, 20}, .channels = 64, .kernel = 7, .stride = 2, .padding = 3};
  CHECK(choices[1].shape == first);
  CHECK(choices[1].choice == KernelChoice{false, 1});
}

TEST_CASE("mistakes in a file of kernels are refused with their place") {
  CHECK(parse_error("convolution: []") ==
        "k.yaml:1:1: convolution: unknown key, allowed is convolutions (did you mean "
        "'convolutions'?)");
  CHECK(parse_error("convolutions: 3") ==
        "k.yaml:1:1: expected one key 'convolutions' with a list");
  CHECK(parse_error("convolutions:\n- 3") == "k.yaml:2:3: found '3', expected a mapping");
  CHECK(parse_error("convolutions:\n" + entry("winogard", 1)) ==
        "k.yaml:2:101: algorithm: found 'winogard', allowed is winograd | direct (did you mean "
        "'winograd'?)");
  CHECK(contains(parse_error("convolutions:\n" + entry("direct", 0)),
                 "images_per_slice: found 0, allowed is 1 .. 65536"));
  CHECK(parse_error("convolutions:\n" + entry("direct", 1) + entry("winograd", 2)) ==
        "k.yaml:3:5: found the convolution of k.yaml:2:5 again, expected one choice for each");
  const std::string pointwise =
      "{channels: 16, filters: 16, height: 32, width: 32, kernel: 1, stride: 1, padding: 0, ";
  CHECK(contains(
      parse_error("convolutions:\n- " + pointwise + "algorithm: winograd, images_per_slice: 1}"),
      "algorithm: found 'winograd', which is for 3x3 convolutions"));
  CHECK(contains(parse_error("convolutions:\n- " + pointwise + "algorithm: direct}"),
                 "k.yaml:2:3: images_per_slice: missing"));
  CHECK(contains(parse_error("convolutions:\n- " + pointwise +
                             "algorithm: direct, image_per_slice: 1, images_per_slice: 1}"),
                 "image_per_slice: unknown key"));
  CHECK(contains(input_error([] { read_kernels_file("no/such/kernels.yaml"); }),
                 "no/such/kernels.yaml"));
}

TEST_CASE("what tuning writes is read as the same choices") {
  const ConvolutionShape inner{
      .src = {16, 32, 24}, .channels = 32, .kernel = 3, .stride = 1, .padding = 1};
  const ConvolutionShape strided{.src = {16, 32, 32}, .channels = 32, .stride = 2};
  const TuningLog log{
      .networks = "resnet20, resnet18",
      .execution = {.max_samples = 96, .threads = 3},
      .foreign_load = 0.04,
      .tuned = {
          {.shape = inner, .candidates = {{{true, 4}, 0.004}, {{false, 7}, 0.0035}}, .chosen = 1},
          {.shape = strided, .candidates = {{{false, 8}, 0.001}}}}};
  const std::string text = kernels_text(log);
  const KernelChoices choices = parse_kernels(text, "k.yaml");
  REQUIRE(choices.size() == 2);
  CHECK(choices[0].shape == inner);
  CHECK(choices[0].choice == KernelChoice{false, 7});
  CHECK(choices[1].shape == strided);
  CHECK(choices[1].choice == KernelChoice{false, 8});
  for (const char* const part :
       {"resnet20, resnet18, f32, convolution auto, micro-batch 96, 3 threads",
        "oneDNN:", "winograd 4: 4.000, direct 7: 3.500", "other load: at most 4 %"})
    CHECK_MESSAGE(contains(text, part), text);
}

TEST_CASE("a run takes its kernels from the file, copies it and is named by its content") {
  const ScratchFolder scratch;
  const std::string text = "convolutions:\n" + entry("direct", 3);
  const std::string setting = "kernels=" + write(scratch, "k.yaml", text).string();
  const RunResult by_rule = run_alone(resnet_request(scratch, "rule", {}));
  CHECK_FALSE(fs::exists(by_rule.folder / "kernels.yaml"));
  CHECK_FALSE(contains(text_of(by_rule.folder / "experiment.yaml"), "kernels"));

  const RunResult chosen = run_alone(resnet_request(scratch, "out", {setting}));
  CHECK(text_of(chosen.folder / "kernels.yaml") == text);
  CHECK(final_values(chosen.folder) != final_values(by_rule.folder));

  write(scratch, "k.yaml", "convolutions:\n" + entry("direct", 2));
  const RunResult other = run_alone(resnet_request(scratch, "out", {setting}));
  CHECK(other.folder != chosen.folder);
  CHECK(other.folder.parent_path() == chosen.folder.parent_path());
  CHECK(text_of(other.folder / "experiment.yaml") != text_of(chosen.folder / "experiment.yaml"));
  CHECK(final_values(other.folder) != final_values(chosen.folder));

  // A run's own record insists on the content, which the copy has.
  const std::string record = text_of(chosen.folder / "experiment.yaml");
  CHECK(contains(input_error([&] { run_alone(request(scratch, record, "again")); }),
                 "kernels_hash: found '"));
  CHECK_FALSE(fs::exists(scratch.path() / "again"));
  const RunResult again = run_alone(
      request(scratch, record, "again", {"kernels=" + (chosen.folder / "kernels.yaml").string()}));
  CHECK(final_values(again.folder) == final_values(chosen.folder));
}

// The OpenMP runtime is not built for the thread sanitizer.
#ifndef __SANITIZE_THREAD__
TEST_CASE("with a file of kernels, too, results do not depend on the threads of a worker") {
  const ScratchFolder scratch;
  const std::string setting =
      "kernels=" + write(scratch, "k.yaml", "convolutions:\n" + entry("winograd", 3)).string();
  const auto with_threads = [&](const std::string& threads) {
    return run_alone(
        resnet_request(scratch, "out" + threads, {setting, "threads_per_worker=" + threads}));
  };
  const RunResult one = with_threads("1");
  for (const char* const threads : {"2", "3"}) {
    const RunResult several = with_threads(threads);
    for (const char* const name : {"rounds.csv", "evaluations.csv", "final_parameters.f32"})
      CHECK(text_of(several.folder / name) == text_of(one.folder / name));
  }
}
#endif

TEST_CASE("kernels that do not go with the experiment are refused before anything is written") {
  const ScratchFolder scratch;
  const auto refusal = [&](const std::string& text, std::vector<std::string> settings) {
    settings.push_back("kernels=" + write(scratch, "k.yaml", text).string());
    return input_error([&] { run_alone(resnet_request(scratch, "out", settings)); });
  };
  const std::string place = (scratch.path() / "k.yaml").string() + ":2:5";
  CHECK(one_line_with(refusal("convolutions:\n" + entry("direct", 5), {}),
                      {place, "images_per_slice: found 5, allowed is 1 .. 4, the micro-batch"}));
  CHECK(one_line_with(refusal("convolutions:\n" + entry("winograd", 2), {"convolution=direct"}),
                      {"kernels: found winograd in " + place, "'convolution: direct' is direct"}));
  CHECK(one_line_with(refusal("convolutions:\n" + entry("direct", 2), {"convolution=winograd"}),
                      {"kernels: found direct in " + place}));
  CHECK(one_line_with(refusal("convolutions: []", {}), {"found none of the model's convolutions"}));
  CHECK(contains(
      input_error([&] { run_alone(resnet_request(scratch, "out", {"kernels_hash=abc"})); }),
      "kernels_hash: found without 'kernels'"));
  CHECK_FALSE(fs::exists(scratch.path() / "out"));
}

}  // namespace localbatch
