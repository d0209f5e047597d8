#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "core/safetensors.h"
#include "run/run_fixtures.h"

namespace localbatch {

namespace {

/// A run whose local steps are too short to move a number in f32.
std::vector<std::string> standing_still() {
  return {"learning_rate={name: constant, peak: 1.0e-30}"};
}

std::vector<std::string> from(const std::filesystem::path& file) {
  std::vector<std::string> settings = standing_still();
  settings.push_back("model.initial=" + file.string());
  return settings;
}

/// The tensors of a file, to be changed and written again.
struct Tensors {
  explicit Tensors(const std::filesystem::path& path) {
    const std::string bytes = text_of(path);
    for (const StoredTensor& tensor :
         parse_safetensors(std::as_bytes(std::span(bytes)), path.string())) {
      values.push_back(floats_of(tensor, path.string()));
      tensors.push_back({.name = tensor.name, .shape = tensor.shape, .values = {}});
    }
  }

  void write(const std::filesystem::path& path) {
    for (std::size_t i = 0; i < values.size(); ++i) tensors[i].values = values[i];
    write_safetensors(path, tensors);
  }

  std::vector<std::vector<float>> values;
  std::vector<FloatTensor> tensors;
};

}  // namespace

TEST_CASE("the final model for other programs has the values of the canonical file") {
  const ScratchFolder scratch;
  const auto folder =
      run_alone(request(scratch, tiny_experiment(), "out", {"model={name: resnet}"})).folder;
  const Tensors model(folder / "final_parameters.safetensors");
  const Columns index = read_csv(folder / "final_parameters.csv");
  REQUIRE(model.tensors.size() == index.at("name").size());
  std::vector<float> all;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    CHECK(model.tensors[i].name == index.at("name")[i]);
    CHECK(std::to_string(model.values[i].size()) == index.at("size")[i]);
    all.insert(all.end(), model.values[i].begin(), model.values[i].end());
  }
  CHECK(all == final_values(folder));
}

TEST_CASE("a run starts from the values of a file, and its settings know the content") {
  const ScratchFolder scratch;
  const auto run = [&](const char* output, const std::vector<std::string>& settings) {
    return run_alone(request(scratch, tiny_experiment(), output, settings)).folder;
  };
  const auto trained = run("trained", {});
  const auto file = trained / "final_parameters.safetensors";
  const auto again = run("again", from(file));
  CHECK(final_values(again) == final_values(trained));
  CHECK(final_values(again) != final_values(run("random", standing_still())));
  CHECK(contains(text_of(again / "experiment.yaml"), "initial_hash: '"));
  CHECK_FALSE(contains(text_of(trained / "experiment.yaml"), "initial_hash"));

  // The record starts again, unless somebody has changed the file.
  RunRequest recorded = request(scratch, text_of(again / "experiment.yaml"), "recorded", {});
  CHECK(final_values(run_alone(recorded).folder) == final_values(trained));
  Tensors changed(file);
  changed.values[0][0] += 1;
  changed.write(file);
  recorded.force = true;
  CHECK_THROWS_WITH_AS(run_alone(recorded),
                       doctest::Contains("not the file that these settings were recorded with"),
                       InputError);
}

TEST_CASE("running statistics of batch norm are read as well") {
  const ScratchFolder scratch;
  const auto run = [&](const char* output, std::vector<std::string> settings) {
    settings.insert(settings.begin(), {"model={name: resnet}", "batch_norm_at_sync=local"});
    return run_alone(request(scratch, tiny_experiment(), output, settings)).folder;
  };
  const auto trained = run("trained", {});
  Tensors model(trained / "final_parameters.safetensors");
  const auto mean = std::ranges::find(model.tensors, "bn1.running_mean", &FloatTensor::name);
  REQUIRE(mean != model.tensors.end());
  const auto place = static_cast<std::size_t>(mean - model.tensors.begin());
  model.values[place].assign(model.values[place].size(), 1e6F);
  // PyTorch counts batches; nobody asks for that.
  model.tensors.push_back({.name = "bn1.num_batches_tracked", .shape = {}, .values = {}});
  model.values.push_back({7});
  const auto file = scratch.path() / "changed.safetensors";
  model.write(file);
  const auto again = run("again", from(file));
  const Tensors end(again / "final_parameters.safetensors");
  CHECK(end.values[place][0] > 1e3F);  // a running average that has not forgotten
}

TEST_CASE("a file of another model is refused, with the tensor, before anything is written") {
  const ScratchFolder scratch;
  const auto trained = run_alone(request(scratch, tiny_experiment(), "trained", {})).folder;
  const auto original = trained / "final_parameters.safetensors";
  const auto file = scratch.path() / "initial.safetensors";
  const auto refused = [&](const auto& change, const std::string& expected) {
    Tensors model(original);
    change(model);
    model.write(file);
    std::string message = "(accepted)";
    try {
      run_alone(request(scratch, tiny_experiment(), "refused", from(file)));
    } catch (const InputError& error) {
      message = error.what();
    }
    CHECK(message == file.string() + ": " + expected);
    CHECK_FALSE(std::filesystem::exists(scratch.path() / "refused"));
  };
  const Tensors model(original);
  const std::string first = model.tensors.front().name, last = model.tensors.back().name;
  refused([](Tensors& m) { m.tensors.back().name += "x"; },
          "found no tensor '" + last + "', which the model has (did you mean '" + last + "x'?)");
  refused(
      [](Tensors& m) {
        m.tensors.push_back({.name = "extra.weight", .shape = {1}, .values = {}});
        m.values.push_back({1});
      },
      "found the tensor 'extra.weight', which the model does not have");
  refused(
      [](Tensors& m) {
        m.tensors.back().shape = {1, static_cast<std::int64_t>(m.values.back().size())};
      },
      last + ": found the shape [1, 10], expected [10]");
  refused([](Tensors& m) { m.values.front()[3] = NAN; },
          first + ": found an infinity or NaN, expected numbers");
}

}  // namespace localbatch
