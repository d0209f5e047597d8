#include <doctest/doctest.h>

#include "comm/thread_process_group.h"
#include "data/image_folder_fixture.h"
#include "run/run_fixtures.h"

// Runs on JPEG files, from the folder to the curves.

namespace localbatch {

namespace fs = std::filesystem;

namespace {

std::string settings_of_model(const std::string& model, int micro_batch, int max_samples) {
  return "experiment: files\nworkers: 2\nmax_samples: " + std::to_string(max_samples) +
         "\naugmentation: {random_resized_crop: true, flip: true}\nmodel: " + model +
         "\nlearning_rate: {peak: 0.01}\nsync_interval: {H: 1}\nbatch_size: {initial: 2, max: 2, "
         "micro_batch: " +
         std::to_string(micro_batch) + "}\nevaluation: {every_samples: 1}\n";
}

RunRequest request_on(const SmallImageNet& images, const ScratchFolder& scratch,
                      const std::string& output, const std::string& text,
                      const std::string& dataset_keys = "size: 32") {
  return request(scratch,
                 text + "dataset: {name: imagenet, root: '" + images.root().string() + "', " +
                     dataset_keys + "}\n",
                 output);
}

const std::string& linear_model() {
  static const std::string kText = settings_of_model("{name: softmax_regression}", 2, 24);
  return kText;
}

struct Told {
  RunResult result;
  std::vector<std::string> warnings;
};

Told run_and_listen(const RunRequest& request) {
  Told told;
  RunEvents events;
  events.on_warning = [&](const std::string& text) { told.warnings.push_back(text); };
  const std::unique_ptr<ProcessGroup> processes = single_process();
  told.result = run_experiment(request, *processes, events, [] {});
  std::erase_if(told.warnings, [](const std::string& text) { return !contains(text, "skipped"); });
  return told;
}

}  // namespace

TEST_CASE("ResNet-101 trains on JPEG files") {
  const SmallImageNet images;
  const ScratchFolder scratch;
  const RunResult result = run_alone(request_on(
      images, scratch, "resnet101",
      settings_of_model("{name: resnet, depth: 101, stem: imagenet, norm: batch_norm}", 2, 12)));
  CHECK(result.outcome == Outcome::kFinished);
  CHECK(result.rounds == 3);
  CHECK(result.last_evaluation.test.images == 6);
  const Columns rounds = read_csv(result.folder / "rounds.csv");
  for (const std::string& loss : rounds.at("loss")) CHECK(std::stod(loss) > 0);
}

TEST_CASE("a run on files leaves the same bytes on one rank and on two") {
  const SmallImageNet images;
  const ScratchFolder scratch;
  const fs::path alone = run_alone(request_on(images, scratch, "one", linear_model())).folder;
  const RunRequest two = request_on(images, scratch, "two", linear_model());  // writes a file
  fs::path shared;
  run_simulated_ranks(2, [&](ProcessGroup& processes) {
    const RunResult result = run_experiment(two, processes, {}, [] {});
    if (processes.rank() == 0) shared = result.folder;
  });
  for (const char* const name : {"rounds.csv", "evaluations.csv", "final_parameters.f32"}) {
    CHECK_FALSE(text_of(alone / name).empty());
    CHECK(text_of(alone / name) == text_of(shared / name));
  }
}

TEST_CASE("a damaged file ends a run unless it is to be skipped, and then is reported once") {
  const SmallImageNet images;
  const ScratchFolder scratch;
  images.cut("train/apple/3.jpg", 300);
  images.cut("val/pear/2.JPEG", 300);
  std::string what;
  try {
    run_alone(request_on(images, scratch, "fatal", linear_model()));
  } catch (const InputError& error) {
    what = error.what();
  }
  CHECK(contains(what, ": damaged image: "));
  CHECK((contains(what, "train/apple/3.jpg") || contains(what, "val/pear/2.JPEG")));

  const Told told = run_and_listen(
      request_on(images, scratch, "skip", linear_model(), "size: 32, damaged_files: skip"));
  CHECK(told.result.last_evaluation.test.images == 5);
  // 24 samples are an epoch and a half: everything was seen.
  REQUIRE(told.warnings.size() == 2);
  for (const std::string name : {"train/apple/3.jpg", "val/pear/2.JPEG"})
    CHECK(std::ranges::count_if(
              told.warnings, [&](const std::string& text) { return contains(text, name); }) == 1);
}

TEST_CASE("parts that need images in memory say so") {
  const SmallImageNet images;
  const ScratchFolder scratch;
  const auto refusal = [&](const std::string& text, const std::string& output) {
    return input_error([&] { run_alone(request_on(images, scratch, output, text)); });
  };
  const std::string common = "workers: 2\nmax_samples: 8\nlearning_rate: {peak: 0.01}\n";
  const std::string problem = common + "problem: {name: logistic_regression}\n";
  CHECK(contains(refusal(problem, "problem"), "dataset: found images in files"));
  const std::string crop =
      common + "model: {name: softmax_regression}\naugmentation: {pad_crop: 2}\n";
  CHECK(contains(refusal(crop, "crop"), "augmentation.pad_crop: found 2"));
}

}  // namespace localbatch
