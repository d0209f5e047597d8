#include "experiment/experiment.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "experiment/fixtures.h"
#include "experiment/sweep.h"

namespace localbatch {

namespace {

/// The shortest experiment, three lines.
const std::string kSmallest =
    "max_samples: 100\n"
    "dataset: {name: synthetic}\n"
    "learning_rate: {peak: 0.1}\n";

/// A mistake in line 4 of an otherwise good file, and what the message must say.
struct Mistake {
  std::string line;
  std::string place;  ///< line:column
  std::string key;
  std::string found;
  std::string allowed = {};
};

const std::vector<Mistake> kMistakes = {
    // unknown keys
    {"workrs: 2", "4:1", "workrs", "unknown key", "did you mean 'workers'?"},
    {"batch_size: {inital: 3}", "4:14", "batch_size.inital", "unknown key", "'initial'"},
    {"workers: 2\nbatch_size_controller: {name: norm_test, etta: 0.9}", "5:42",
     "batch_size_controller.etta", "unknown key", "did you mean 'eta'?"},
    {"batch_size_controller: {name: fixed, eta: 0.9}", "4:38", "batch_size_controller.eta",
     "unknown key"},
    {"evaluation: {every_sample: 1}", "4:14", "evaluation.every_sample", "unknown key",
     "did you mean 'every_samples'?"},
    {"sweep: {seed: [1, 2]}", "4:1", "sweep", "unknown key"},
    {"model: {initil: a.safetensors}", "4:9", "model.initil", "unknown key",
     "did you mean 'initial'?"},
    {"max_samples: 200", "4:1", "max_samples", "found twice"},
    {"model: {depth: 20, depth: 32}", "4:20", "model.depth", "found twice"},
    // wrong types
    {"workers: two", "4:10", "workers", "found 'two'", "expected an integer"},
    {"workers: 2.5", "4:10", "workers", "found '2.5'", "expected an integer"},
    {"workers: 1e-3", "4:10", "workers", "found '1e-3'", "expected an integer"},
    {"workers: 0x10", "4:10", "workers", "found '0x10'", "expected an integer"},
    {"workers: 99999999999999999999", "4:10", "workers", "found '99999999999999999999'"},
    {"workers: ''", "4:10", "workers", "found ''", "expected an integer"},
    {"inner_optimizer: {momentum: high}", "4:29", "inner_optimizer.momentum", "found 'high'",
     "expected a number"},
    {"inner_optimizer: {momentum: nan}", "4:29", "inner_optimizer.momentum", "found 'nan'",
     "expected a number"},
    {"inner_optimizer: {clip_norm: -1}", "4:30", "inner_optimizer.clip_norm", "found -1",
     "allowed is 0 .. 1000000000"},
    {"inner_optimizer: {name: adamw, decay: matrixes}", "4:39", "inner_optimizer.decay",
     "found 'matrixes'", "all | matrices (did you mean 'matrices'?)"},
    {"evaluation: {max_samples: -1}", "4:27", "evaluation.max_samples", "found -1"},
    {"model: {initial_hash: 0123456789abcdef}", "4:23", "model.initial_hash",
     "found without 'initial'"},
    {"inner_optimizer: {weight_decay: inf}", "4:33", "inner_optimizer.weight_decay", "found 'inf'"},
    {"augmentation: {flip: yes}", "4:22", "augmentation.flip", "found 'yes'",
     "expected true or false"},
    {"convolution: winogard", "4:14", "convolution", "auto | direct | winograd",
     "did you mean 'winograd'?"},
    // scalars, lists and mappings in each other's place
    {"workers: {n: 2}", "4:10", "workers", "found a mapping", "expected an integer"},
    {"workers: [1, 2]", "4:10", "workers", "found a list", "expected an integer"},
    {"model: resnet", "4:8", "model", "found 'resnet'", "expected a mapping"},
    {"model: [resnet]", "4:8", "model", "found a list", "expected a mapping"},
    {"model: {name: {a: b}}", "4:15", "model.name", "found a mapping",
     "resnet | llama | gpt | mlp"},
    {"experiment: [a]", "4:13", "experiment", "found a list", "expected text"},
    {"precision: {f32: 1}", "4:12", "precision", "found a mapping", "f32"},
    // ranges
    {"workers: 0", "4:10", "workers", "found 0", "1 .. 65536"},
    {"workers: 65537", "4:10", "workers", "found 65537", "1 .. 65536"},
    {"threads_per_worker: 0", "4:21", "threads_per_worker", "found 0", "1 .. 1024"},
    {"seed: -1", "4:7", "seed", "found -1", "at least 0"},
    {"inner_optimizer: {momentum: 1}", "4:29", "inner_optimizer.momentum", "found 1",
     "0 .. 0.9999"},
    {"batch_size_controller: {name: norm_test, eta: 0}", "4:47", "batch_size_controller.eta",
     "found 0", "0.001 .. 1000"},
    {"batch_size: {micro_batch: 5000}", "4:27", "batch_size.micro_batch", "found 5000",
     "1 .. 4096"},
    {"evaluation: {every_samples: -5}", "4:29", "evaluation.every_samples", "found -5",
     "at least 0"},
    // choices
    {"precision: f16", "4:12", "precision", "found 'f16'", "allowed is f32 | bf16"},
    {"model: {name: resnt}", "4:15", "model.name", "found 'resnt'", "did you mean 'resnet'?"},
    {"model: {depth: 21}", "4:16", "model.depth", "found '21'", "20 | 32"},
    {"batch_size_controller: {name: normtest}", "4:31", "batch_size_controller.name",
     "found 'normtest'", "did you mean 'norm_test'?"},
    {"batch_norm_at_sync: averge", "4:21", "batch_norm_at_sync", "found 'averge'",
     "did you mean 'average'?"},
    // rules over several keys
    {"batch_size: {initial: 64, max: 32}", "4:23", "batch_size.initial", "found 64", "1 .. 32"},
    {"batch_size: {min: 16, initial: 8}", "4:32", "batch_size.initial", "found 8", "16 .. "},
    {"batch_size: {max: 8}", "4:13", "batch_size.initial", "found 32", "1 .. 8"},
    {"batch_size: {min: 9, max: 8}", "4:19", "batch_size.min", "found 9", "maximum 8"},
    {"inner_optimizer: {nesterov: true}", "4:29", "inner_optimizer.nesterov", "momentum"},
    {"model: {depth: 50, shortcut: pad}", "4:30", "model.shortcut", "'pad'", "found depth 50"},
    {"precision: bf16\nmodel: {name: mlp}", "4:12", "precision", "found 'bf16'",
     "for resnet, llama and gpt"},
    {"precision: bf16\nmodel: {name: softmax_regression}", "4:12", "precision", "found 'bf16'",
     "allowed here is f32"},
    {"sync_interval: {name: post_local, H: 4}", "4:16", "sync_interval.start_samples", "missing"},
    // statistics that can never be taken
    {"batch_size_controller: {name: norm_test}", "1:1", "gradient_statistics.chunks",
     "found 'workers', which needs at least two workers", "micro_batches | samples"},
    {"batch_size_controller: {name: norm_test}\ngradient_statistics: {chunks: delta}", "5:31",
     "gradient_statistics.chunks", "found 'delta', which needs at least two workers"},
    {"workers: 2\ngradient_statistics: {chunks: delta}\nstreaming: {fragments: 2}", "6:12",
     "streaming", "found with gradient_statistics: {chunks: delta}"},
    {"communication: {parameters: top_k}\nstreaming: {fragments: 2}", "5:12", "streaming",
     "found with communication: {parameters: top_k}"},
    {"communication: {parameters: int8, share: 0.1}", "4:35", "communication.share", "unknown key"},
    {"communication: {parameters: top_k, share: 0.6}", "4:43", "communication.share", "found 0.6",
     "1e-06 .. 0.5"},
    {"workers: 2\ngradient_statistics: {chunks: delta}\ncommunication: {parameters: top_k}", "6:29",
     "communication.parameters", "found 'top_k' with gradient_statistics: {chunks: delta}"},
    {"workers: 2\ngradient_statistics: {chunks: delta}\ncommunication: {parameters: int4}", "6:29",
     "communication.parameters", "found 'int4' with gradient_statistics: {chunks: delta}"},
    {"worker_weights: {temperature: -1}", "4:31", "worker_weights.temperature", "found -1"},
    {"streaming: {fragments: 2}\nworker_weights: {temperature: 1}", "5:17", "worker_weights",
     "found with streaming"},
    {"evaluation: {averaged_over: 1000}", "4:29", "evaluation.averaged_over",
     "found with batch norm", "batch_norm_at_sync: recompute"},
    {"proximal_term: {mu: -1}", "4:21", "proximal_term.mu", "found -1", "0 .. 1000000"},
    {"streaming: {fragments: 2}\nproximal_term: {mu: 1}", "5:16", "proximal_term",
     "found with streaming"},
    {"workers: 2\ngradient_statistics: {chunks: delta}\nproximal_term: {mu: 1}", "6:16",
     "proximal_term", "found with gradient_statistics: {chunks: delta}"},
    {"checkpoint: {keep_at: [50, 101]}", "4:23", "checkpoint.keep_at", "found 101", "at most 100"},
    {"branches: {at: [50, 80], local_batch_sizes: [4], samples: 21}", "4:59", "branches.samples",
     "found 21, with which the branch at 80 would end at 101", "the run does at 100"},
    {"streaming: {fragments: 0}", "4:24", "streaming.fragments", "found 0", "1 .. 1024"},
    {"streaming: {mix: 2}", "4:18", "streaming.mix", "found 2", "0 .. 1"},
    {"learning_rate_coupling: {name: adascale}", "1:1", "gradient_statistics.chunks",
     "at least two workers"},
    {"shadow_controllers: [{name: norm_test}]", "1:1", "gradient_statistics.chunks",
     "at least two workers"},
    {"workers: 4\nbatch_size: {initial: 1}\nbatch_size_controller: {name: norm_test}\n"
     "gradient_statistics: {chunks: samples}\nmodel: {name: resnet, norm: group_norm}",
     "7:31", "gradient_statistics.chunks", "found 'samples', which needs at least two of them"},
    {"workers: 4\nbatch_size: {initial: 32}\nbatch_size_controller: {name: norm_test}\n"
     "gradient_statistics: {chunks: micro_batches}",
     "7:31", "gradient_statistics.chunks", "batch_size.initial is 32, micro_batch is 64"},
    // names of folders
    {"experiment: a/b", "4:13", "experiment", "found 'a/b'", "a name for a folder"},
    {"experiment: ..", "4:13", "experiment", "found '..'", "a name for a folder"},
    {"experiment: ''", "4:13", "experiment", "found ''", "a name for a folder"},
};

/// The model for images and classes of CIFAR-10, or if it is for tokens for windows of 16.
std::unique_ptr<const Model> make_for_samples(const ModelFactory& factory) {
  const SampleShape images{.input = ImageShape{.channels = 3, .height = 32, .width = 32},
                           .num_classes = 10};
  const SampleShape windows{.input = TokenWindow{16}, .num_classes = 50};
  SampleShape sample = images;
  std::unique_ptr<const Model> model;
  try {
    model = factory.make(images);
  } catch (const InputError&) {
    sample = windows;
    model = factory.make(windows);
  }
  CHECK(model->sample() == sample);
  return model;
}

/// The message for a file; empty for a good one.
std::string refusal(const Node& file) {
  try {
    read_experiment(Options(file), /*cpu_has_bfloat16=*/true);
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

/// Takes the last letter but one out of each key of a mapping of `file` in turn, and from those
/// below it.
void misspell_each(const Node& file, Node& mapping) {
  for (Node::Entry& entry : mapping.entries) {
    if (entry.key.size() > 4) {
      const std::string right = entry.key;
      entry.key.erase(right.size() - 2, 1);
      CAPTURE(entry.key);
      const std::string message = refusal(file);
      CHECK_MESSAGE(message.starts_with(to_string(entry.key_location) + ": "), message);
      CHECK_MESSAGE(message.find("did you mean '") != std::string::npos, message);
      CHECK_MESSAGE(message.find(right + "'?") != std::string::npos, message);
      entry.key = right;
    }
    misspell_each(file, entry.value);
  }
}

}  // namespace

TEST_CASE("every key of every experiment file, when misspelt, is told where it stands") {
  for (const std::filesystem::path& path : experiment_files()) {
    CAPTURE(path);
    Node file = sweep_cells(read_experiment_file(path)).front().experiment;
    REQUIRE(refusal(file) == "");
    misspell_each(file, file);
  }
}

TEST_CASE("every experiment file is read, and its model fits images or tokens") {
  const std::vector<std::filesystem::path> files = experiment_files();
  REQUIRE(files.size() >= 4);
  std::vector<SweepCell> cells;
  for (const std::filesystem::path& path : files)
    for (SweepCell& cell : sweep_cells(read_experiment_file(path)))
      cells.push_back(std::move(cell));
  for (const SweepCell& cell : cells) {
    CAPTURE(cell.experiment.where.source);
    CAPTURE(cell_name(cell.coordinates));
    const Experiment experiment =
        read_experiment(Options(cell.experiment), /*cpu_has_bfloat16=*/true);
    if (experiment.task->has_network()) {
      const std::unique_ptr<const Model> model = make_for_samples(network_of(experiment).model);
      CHECK(model->parameter_count() > 0);
      const TaskFacts facts{.running_moments = model->running_moment_count(),
                            .train_samples = 50000};
      // That rule is what some of them are about, and that norm a row of budget/resnet20.yaml.
      const bool in_budget = cell.experiment.where.source.find("/budget/") != std::string::npos;
      for (const std::string& doubt : doubtful_settings(experiment, facts))
        CHECK_MESSAGE((doubt.starts_with("learning_rate_coupling: sqrt") ||
                       (in_budget && contains(doubt, "squared_norm: unbiased"))),
                      doubt);
    }
    CHECK(experiment.method.controller != nullptr);
    CHECK(experiment.method.learning_rate(0, experiment.method.max_samples) >= 0);
    CHECK(experiment.method.sync_interval({}) >= 1);
    CHECK(experiment.make_outer_optimizer(1) != nullptr);
    CHECK(experiment.inner_optimizer.make({.size = 1}) != nullptr);
  }
}

TEST_CASE("the values of a file arrive where they are used") {
  const Experiment read = read_text(
      "experiment: name\nseed: 7\nworkers: 3\nthreads_per_worker: 2\nmax_samples: 1000\n"
      "dataset: {name: synthetic, train_samples: 12, test_samples: 5}\n"
      "augmentation: {pad_crop: 4, flip: true}\n"
      "model: {name: mlp, hidden_layers: 1, hidden_features: 9}\n"
      "inner_optimizer: {name: sgd, momentum: 0.9, at_sync: reset}\n"
      "learning_rate: {name: linear, peak: 0.5}\n"
      "sync_interval: {name: constant, H: 6}\n"
      "batch_size: {initial: 10, min: 2, max: 100, multiple_of: 5, micro_batch: 4}\n"
      "batch_size_controller: {name: norm_test, growth_limit: 3, every_rounds: 2}\n"
      "batch_norm_at_sync: local\nevaluation: {every_samples: 250, max_samples: 3}\n");
  CHECK(read.name == "name");
  CHECK(read.seed == 7);
  CHECK(read.workers == 3);
  CHECK(read.threads_per_worker == 2);
  CHECK(read.worker_threads() == 2);
  const NetworkSettings& network = network_of(read);
  CHECK(network.augmentation.pad_crop == 4);
  CHECK(network.augmentation.flip);
  CHECK(read.inner_optimizer.at_sync == StatePolicy::kReset);
  CHECK(network.batch_norm_at_sync.policy == BatchNormAtSync::Policy::kLocal);
  CHECK(read.method.initial_local_batch_size == 10);
  CHECK(network.micro_batch == 4);
  CHECK(read.evaluate_every_samples == 250);
  CHECK(read.max_test_samples == 3);
  CHECK(read.method.max_samples == 1000);
  CHECK(read.method.learning_rate(500, 1000) == doctest::Approx(0.25));
  CHECK(read.method.sync_interval({}) == 6);
  CHECK(read.method.limits.min == 2);
  CHECK(read.method.limits.max == 100);
  CHECK(read.method.limits.multiple_of == 5);
  CHECK(read.method.limits.growth_limit == 3);
  CHECK(read.method.limits.every_rounds == 2);
  CHECK(read.method.controller->needs().any());
  const TaskFacts facts = load_task(read)->facts();
  CHECK(facts.train_samples == 12);
  CHECK(facts.test_samples == 5);
  CHECK(facts.evaluated_samples == 3);
  CHECK(facts.tokens_per_sample == 0);
  CHECK(facts.parameters == 3072 * 9 + 9 + 9 * 10 + 10);
  CHECK(facts.summary == "12 training and 5 test images");
  REQUIRE(facts.network);
  CHECK(facts.network->execution.max_samples == 4);
  CHECK(facts.network->execution.threads == 2);
}

TEST_CASE("samples that are held out are no training samples, and a file without has no such key") {
  const std::string rest =
      "workers: 2\nmax_samples: 100\nlearning_rate: {peak: 0.1}\nmodel: {name: mlp}\n";
  const auto with = [&rest](const std::string& keys) {
    return "dataset: {name: synthetic, train_samples: 12, test_samples: 5" + keys + "}\n" + rest;
  };
  const auto dataset_keys = [](const Experiment& experiment) {
    return std::ranges::find(experiment.resolved, "dataset", &Declaration::key)->parts;
  };
  const Experiment without = read_text(with("")), some = read_text(with(", validation: 4"));
  CHECK_FALSE(without.task->has_validation());
  CHECK(std::ranges::count(dataset_keys(without), "validation", &Declaration::key) == 0);
  CHECK(dataset_keys(some).size() == dataset_keys(without).size() + 1);
  CHECK(some.task->has_validation());
  for (const TaskUse use : {TaskUse::kTraining, TaskUse::kOutline}) {
    const TaskFacts facts = load_task(some, use)->facts();
    CHECK(facts.train_samples == 8);
    CHECK(facts.epoch_samples == 8);
    CHECK(facts.validation_samples == 4);
    CHECK(facts.summary == "8 training, 4 validation and 5 test images");
  }
  CHECK(contains(text_error(with(", validation: 0")),
                 "test.yaml:1:76: dataset.validation: found 0, allowed is 1 .. 4294967295"));
  CHECK(one_line_with(input_error([&] { load_task(read_text(with(", validation: 12"))); }),
                      {"dataset.validation: found 12, allowed are at most 11 of the 12"}));
  CHECK(one_line_with(
      text_error("problem: {name: logistic_regression}\n" + with(", validation: 4")),
      {"test.yaml:2:10: dataset: found 'validation', which is for problem: network"}));
}

TEST_CASE("what a model says of its convolutions without an image is true of its layers") {
  for (const PartRow<ModelFactory>& row : model_table()) {
    CAPTURE(row.name);
    Options options = Options::describing();
    const ModelFactory factory = row.make(options);
    const std::unique_ptr<const Model> model = make_for_samples(factory);
    const std::vector<LayerKernel> layers =
        model->kernels({.convolution = ConvolutionRule::kWinograd});
    CHECK(factory.has_3x3_convolutions == std::ranges::any_of(layers, [](const LayerKernel& layer) {
            return layer.choice.winograd;
          }));
    CHECK(factory.has_batch_norm == !model->running_moment_tensors().empty());
  }
}

TEST_CASE("labels are smoothed where a file says so, and others do not show the key") {
  const auto shows = [](const Experiment& experiment) {
    return std::ranges::count(experiment.resolved, "label_smoothing", &Declaration::key) > 0;
  };
  const Experiment without = read_text(kSmallest);
  const Experiment some = read_text(kSmallest + "label_smoothing: 0.1\n");
  CHECK(network_of(without).label_smoothing == 0);
  CHECK_FALSE(shows(without));
  CHECK(network_of(some).label_smoothing == 0.1);
  CHECK(shows(some));
  CHECK(contains(text_error(kSmallest + "label_smoothing: 1\n"), "found 1, allowed is 0 .. 0.99"));
}

TEST_CASE("convolutions are in f32 and by the rule unless the file says otherwise") {
  const Experiment defaults = read_text(kSmallest);
  CHECK(network_of(defaults).precision == Precision::kFloat32);
  CHECK(network_of(defaults).convolution == ConvolutionRule::kAuto);
  const Node file = parse_yaml(kSmallest + "precision: bf16\nconvolution: direct\n", "test.yaml");
  const Experiment read = read_experiment(Options(file), /*cpu_has_bfloat16=*/true);
  CHECK(network_of(read).precision == Precision::kBfloat16);
  CHECK(network_of(read).convolution == ConvolutionRule::kDirect);
}

TEST_CASE("Winograd is refused for models that have nothing for it, auto is not") {
  const std::string mlp = kSmallest + "model: {name: mlp}\n";
  const std::string message = text_error(mlp + "convolution: winograd\n");
  CHECK_MESSAGE(one_line_with(message, {"test.yaml:5:14: convolution: found 'winograd'",
                                        "allowed here is auto | direct"}),
                message);
  CHECK_NOTHROW(read_text(mlp + "convolution: auto\n"));
  CHECK_NOTHROW(read_text(kSmallest + "convolution: winograd\n"));
}

TEST_CASE("bf16 is refused on a CPU without it, f32 is not") {
  const auto error = [](const std::string& line) {
    const Node file = parse_yaml(kSmallest + line, "test.yaml");
    return input_error([&] { read_experiment(Options(file), /*cpu_has_bfloat16=*/false); });
  };
  const std::string message = error("precision: bf16\n");
  CHECK_MESSAGE(one_line_with(message, {"test.yaml:4:12: precision: found 'bf16'", "this CPU",
                                        "allowed here is f32"}),
                message);
  CHECK(error("precision: f32\n") == "(no InputError)");
}

TEST_CASE("a mistake is one line with its place, its key and what was found") {
  REQUIRE_NOTHROW(read_text(kSmallest));
  for (const Mistake& mistake : kMistakes) {
    const std::string message = text_error(kSmallest + mistake.line + "\n");
    CAPTURE(mistake.line);
    CHECK_MESSAGE(one_line_with(message, {"test.yaml:" + mistake.place + ": " + mistake.key + ": ",
                                          mistake.found, mistake.allowed}),
                  message);
  }
}

TEST_CASE("a missing key is named with the place of the mapping that lacks it") {
  const auto missing = [](const std::string& text, const std::string& beginning) {
    const std::string message = text_error(text);
    CHECK_MESSAGE(one_line_with(message, {beginning + "missing"}), message);
  };
  missing("dataset: {name: synthetic}\nlearning_rate: {peak: 0.1}\n",
          "test.yaml:1:1: max_samples: ");
  missing("max_samples: 5\nlearning_rate: {peak: 0.1}\n", "test.yaml:1:1: dataset.name: ");
  missing("max_samples: 5\ndataset: {}\nlearning_rate: {peak: 1}\n",
          "test.yaml:2:10: dataset.name: ");
  missing("max_samples: 5\ndataset: {name: cifar10}\nlearning_rate: {peak: 1}\n",
          "test.yaml:2:10: dataset.root: ");
  missing("max_samples: 5\ndataset: {name: synthetic}\n", "test.yaml:1:1: learning_rate.peak: ");
  missing("max_samples: 5\ndataset: {name: synthetic}\nlearning_rate:\n  name: cosine\n",
          "test.yaml:4:3: learning_rate.peak: ");
}

TEST_CASE("lists are checked item by item") {
  const auto message = [](const std::string& milestones) {
    return text_error(
        "max_samples: 9\ndataset: {name: synthetic}\n"
        "learning_rate: {name: multistep, peak: 1, milestones: " +
        milestones + "}\n");
  };
  CHECK(one_line_with(message("3"), {"test.yaml:3:55: learning_rate.milestones: found '3'",
                                     "expected a list of integers"}));
  CHECK(one_line_with(message("[1, x]"), {"test.yaml:3:59: learning_rate.milestones: found 'x'"}));
  CHECK(one_line_with(message("[1, [2]]"),
                      {"test.yaml:3:59: learning_rate.milestones: found a list"}));
  CHECK(one_line_with(message("[0]"), {"test.yaml:3:56: learning_rate.milestones: found 0"}));
  CHECK(one_line_with(message("[5, 5]"), {"test.yaml:3:55: learning_rate.milestones: "}));
}

TEST_CASE("settings that do nothing or harm are doubted, each by one line") {
  const auto doubts = [](const std::string& changes) {
    const Experiment read = read_text(
        "workers: 4\nmax_samples: 20000\ndataset: {name: synthetic}\nlearning_rate: {peak: 0.1}\n" +
        changes);
    return doubtful_settings(read, load_task(read, TaskUse::kOutline)->facts());
  };
  const auto doubts_one = [&](const std::string& changes, const std::string& part) {
    CAPTURE(changes);
    const std::vector<std::string> found = doubts(changes);
    REQUIRE(found.size() == 1);
    CHECK_MESSAGE(contains(found.front(), part), found.front());
  };
  CHECK(doubts("").empty());
  doubts_one("batch_size: {micro_batch: 1}", "batch norm over micro-batches of one sample");
  doubts_one("batch_size: {initial: 1}", "batch norm over micro-batches of one sample");
  CHECK(doubts("model: {norm: group_norm}\nbatch_size: {initial: 1}").empty());
  doubts_one("learning_rate_coupling: {name: sqrt}", "sqrt");
  CHECK(doubts("learning_rate_coupling: {name: linear}").empty());
  CHECK(doubts("learning_rate_coupling: {name: sqrt}\ninner_optimizer: {name: adamw}").empty());
  const std::string test = "batch_size_controller: {name: norm_test}\ngradient_statistics: ";
  doubts_one(test + "{squared_norm: unbiased}", "squared_norm: unbiased");
  CHECK(doubts(test + "{squared_norm: unbiased, at: first}").empty());
  CHECK(doubts(test + "{squared_norm: unbiased, moving_average: 0.9}").empty());
  CHECK(doubts("gradient_statistics: {squared_norm: unbiased}").empty());  // nobody asks for it
  const std::string mlp = "model: {name: mlp}\n";
  doubts_one(mlp + "batch_size: {initial: 2501}", "the share 2500");
  CHECK(doubts(mlp + "batch_size: {initial: 2500}").empty());
  const std::string rounds_of_4 = "sync_interval: {name: constant, H: 4}\nstreaming: ";
  doubts_one(rounds_of_4 + "{delay: 4}", "streaming.delay is 4, H of the first round 4");
  CHECK(doubts(rounds_of_4 + "{delay: 3}").empty());
  // 20000/4/200 = 25 local steps of 4 micro-batches; 10 in a round.
  const std::string long_steps =
      "batch_size: {initial: 200}\nsync_interval: {name: constant, H: 10}\n";
  CHECK(doubts(long_steps).empty());
  doubts_one(long_steps + "batch_norm_at_sync: reset", "averages over about 40 micro-batches");
  doubts_one("batch_size: {initial: 200, micro_batch: 200}",
             "averages over about 25 micro-batches");
  CHECK(doubts("batch_size: {initial: 200, micro_batch: 200}\nbatch_norm_at_sync: recompute")
            .empty());
}

}  // namespace localbatch
