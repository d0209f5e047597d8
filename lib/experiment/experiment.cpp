#include "experiment/experiment.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "nn/kernel_choices.h"

namespace localbatch {

namespace {

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int32_t>::max();

/// Reads an exchangeable part: the mapping under `key` and the implementation that its name
/// selects.
template <class Part>
Part read_part(Options& options, std::string_view key, std::span<const PartRow<Part>> table,
               std::string_view fallback, std::string_view meaning) {
  Options part = options.part(key, meaning);
  return make_part(table, part, fallback, "which implementation");
}

int read_int(Options& options, std::string_view key, const IntegerKey& declared) {
  return static_cast<int>(options.integer(key, declared));
}

/// The layers of a model do not depend on the images, which are not known yet.
std::vector<LayerKernel> layers_of(const Experiment& experiment) {
  constexpr SampleShape kAnyImage{.image = {.channels = 3, .height = 32, .width = 32},
                                  .num_classes = 10};
  return experiment.make_model(kAnyImage)->kernels({.convolution = experiment.convolution});
}

bool uses_winograd(const LayerKernel& layer) { return layer.choice.winograd; }

void read_execution(Options& options, bool cpu_has_bfloat16, Experiment& experiment) {
  const std::string precision =
      options.choice("precision", {.fallback = "f32",
                                   .choices = {"f32", "bf16"},
                                   .meaning = "of convolutions and activations; parameters, "
                                              "gradients, statistics and loss are always f32"});
  experiment.convolution = options.choice<ConvolutionRule>(
      "convolution",
      {.fallback = ConvolutionRule::kAuto,
       .choices = {kConvolutionRules.begin(), kConvolutionRules.end()},
       .meaning = "3x3 convolutions with stride 1 directly by oneDNN or by our own Winograd "
                  "kernels, with another speed and rounding; auto: winograd in a program that was "
                  "built for fused multiply-adds, else direct"});
  if (experiment.convolution == ConvolutionRule::kWinograd &&
      std::ranges::none_of(layers_of(experiment), uses_winograd))
    options.fail("convolution",
                 "found 'winograd', which is for models with 3x3 convolutions with stride 1; "
                 "allowed here is auto | direct");
  if (precision == "f32") return;
  experiment.precision = Precision::kBfloat16;
  if (layers_of(experiment).empty())
    options.fail("precision",
                 "found 'bf16', which is for models with convolutions; allowed here is f32");
  if (!cpu_has_bfloat16)
    options.fail("precision",
                 "found 'bf16', which this CPU does not have (avx512_bf16); allowed here is f32");
}

void read_kernels(Options& options, Experiment& experiment) {
  const std::string path = options.text(
      "kernels",
      {.fallback = "",
       .meaning = "file of 'localbatch bench --tune', relative to the working directory: "
                  "kernels of convolutions, with their rounding, instead of the rule's"});
  const std::string hash = options.text(
      "kernels_hash",
      {.fallback = "",
       .meaning = "of the content of 'kernels'; a run records it, and a file that has changed "
                  "since is refused"});
  if (path.empty() && hash.empty()) return;
  if (path.empty()) options.fail("kernels_hash", "found without 'kernels', expected both");
  experiment.kernels = read_kernels_file(path);
  const KernelsFile& file = experiment.kernels;
  if (!hash.empty() && hash != file.hash())
    options.fail("kernels_hash", fmt::format("found '{}', but that of '{}' is '{}': not the file "
                                             "that these settings were recorded with",
                                             hash, path, file.hash()));
  if (const KernelOverride* const other = kernel_against(file.choices, experiment.convolution))
    options.fail("kernels",
                 fmt::format("found {} in {}, allowed with 'convolution: {}' is {}",
                             algorithm_name(other->choice), other->where,
                             name_of(experiment.convolution), name_of(experiment.convolution)));
}

/// What is minimized: a network on images, or a problem that needs no network and perhaps no data.
void read_task(Options& options, bool cpu_has_bfloat16, Experiment& experiment) {
  experiment.problem = read_part(
      options, "problem", problem_table(), "network",
      "what is minimized: the loss of a network, or an objective whose theory is known. The "
      "latter has no augmentation, model, precision or other part of a network, and a "
      "dataset only where it needs one");
  const bool network = !experiment.problem.make;
  if (network || experiment.problem.needs_images)
    experiment.load_dataset =
        read_part(options, "dataset", dataset_table(), "", "which images, and where they are");
  if (!network) return;
  Options augmentation = options.part("augmentation", "random changes of training images");
  experiment.augmentation = read_augmentation(augmentation);
  experiment.make_model = read_part(options, "model", model_table(), "resnet", "the network");
  read_execution(options, cpu_has_bfloat16, experiment);
  read_kernels(options, experiment);
}

void read_micro_batch(Options& batch_size, Experiment& experiment) {
  experiment.micro_batch = read_int(
      batch_size, "micro_batch",
      {.fallback = 64,
       .min = 1,
       .max = 4096,
       .meaning = "most images that the network sees at once; larger local batches are added up "
                  "from equal parts, and batch norm takes its statistics over such a micro-batch"});
}

void read_batch_size(Options& options, Experiment& experiment) {
  Options batch_size = options.part("batch_size", "samples per worker and local step");
  experiment.method.initial_local_batch_size =
      read_int(batch_size, "initial",
               {.fallback = 32, .min = 1, .max = kNoLimit, .meaning = "b of the first round"});
  if (!experiment.problem.make) read_micro_batch(batch_size, experiment);
  Options controller = options.part("batch_size_controller",
                                    "the rule that says how large the next local batch should be");
  experiment.method.limits = read_batch_size_limits(batch_size, controller);
  experiment.method.controller =
      make_part(batch_size_controller_table(), controller, "fixed", "which implementation");
  const BatchSizeLimits& limits = experiment.method.limits;
  if (experiment.method.initial_local_batch_size < limits.min ||
      experiment.method.initial_local_batch_size > limits.max)
    batch_size.fail(
        "initial", fmt::format("found {}, allowed is min .. max = {} .. {}",
                               experiment.method.initial_local_batch_size, limits.min, limits.max));
}

/// "norm_test eta=0.8"
std::string settings_of(const Options& part) {
  std::string settings;
  for (const Declaration& key : part.declarations())
    settings += key.key == "name" ? key.value : fmt::format(" {}={}", key.key, key.value);
  return settings;
}

void read_shadow_controllers(Options& options, Experiment& experiment) {
  for (Options& part : options.parts(
           "shadow_controllers",
           "controllers that look at the same statistics and do not act; what each would do goes "
           "to controllers.csv")) {
    auto controller = make_part(batch_size_controller_table(), part, "", "which implementation");
    StatisticsNeeds& needs = experiment.method.observer_needs;
    needs = needs | controller->needs();
    experiment.shadow_controllers.push_back({settings_of(part), std::move(controller)});
  }
}

/// How gradients are measured, and whether the other parts allow it.
void read_statistics(Options& options, Experiment& experiment) {
  LocalSgd& method = experiment.method;
  Options statistics =
      options.part("gradient_statistics", "what batch-size tests measure, and how");
  method.statistics = read_statistics_options(statistics);
  Options audit = options.part("audit", "exact statistics beside those that a test looks at");
  method.audit = read_audit_options(audit);
  read_shadow_controllers(options, experiment);

  const Chunks chunks = method.statistics.chunks;
  const StatisticsNeeds needs = method.controller->needs() | method.observer_needs;
  if (chunks == Chunks::kDelta && !method.inner_steps)
    statistics.fail("chunks",
                    "found 'delta', which is for inner_optimizer: sgd, whose steps are "
                    "linear in the gradients; allowed here is workers | micro_batches | "
                    "samples");
  if (needs.coordinates && chunks != Chunks::kWorkers)
    statistics.fail("chunks", "found no 'workers', which coordinate_norm_test needs");
  if (chunks == Chunks::kMicroBatches && experiment.problem.make)
    statistics.fail("chunks", "found 'micro_batches', which is for problem: network");
  if (chunks == Chunks::kMicroBatches && needs.any() &&
      method.initial_local_batch_size <= experiment.micro_batch)
    statistics.fail("chunks",
                    fmt::format("found 'micro_batches', which needs at least two of them in a "
                                "local batch: batch_size.initial is {}, micro_batch is {}",
                                method.initial_local_batch_size, experiment.micro_batch));
  if (method.audit.every_rounds > 0 && method.audit.samples < 2 * experiment.workers)
    audit.fail("samples", fmt::format("found {}, allowed is at least 2 for each of {} workers",
                                      method.audit.samples, experiment.workers));
}

}  // namespace

ExecutionOptions execution_options(const Experiment& experiment, int max_samples) {
  return {.max_samples = max_samples,
          .threads = experiment.threads_per_worker,
          .precision = experiment.precision,
          .convolution = experiment.convolution,
          .kernels = experiment.kernels.choices};
}

Experiment read_experiment(Options options, bool cpu_has_bfloat16) {
  Experiment read;
  LocalSgd& method = read.method;
  read.name = options.text(
      "experiment", {.fallback = "experiment", .meaning = "name of the folder that results go to"});
  if (read.name.empty() || read.name.find('/') != std::string::npos || read.name.front() == '.')
    options.fail("experiment", fmt::format("found '{}', expected a name for a folder", read.name));
  read.seed = static_cast<std::uint64_t>(options.integer(
      "seed", {.fallback = 1, .min = 0, .meaning = "of all random numbers of the run"}));
  read.workers = read_int(options, "workers",
                          {.fallback = 1,
                           .min = 1,
                           .max = 65536,
                           .meaning = "M; they run on any number of MPI ranks up to M"});
  read.threads_per_worker =
      read_int(options, "threads_per_worker",
               {.fallback = 1,
                .min = 1,
                .max = 1024,
                .meaning = "threads that work on a worker's local step; no influence on results"});
  method.max_samples = options.integer(
      "max_samples",
      {.fallback = {}, .min = 1, .meaning = "budget of all workers together, in samples"});
  read_task(options, cpu_has_bfloat16, read);
  read.inner_optimizer = read_part(options, "inner_optimizer", inner_optimizer_table(), "sgd",
                                   "the rule of a local step");
  read.make_outer_optimizer = read_part(options, "outer_optimizer", outer_optimizer_table(),
                                        "averaging", "the rule of a synchronization");
  method.learning_rate = read_part(options, "learning_rate", learning_rate_table(), "constant",
                                   "a function of the samples processed");
  method.learning_rate_coupling =
      read_part(options, "learning_rate_coupling", learning_rate_coupling_table(), "none",
                "what the learning rate does when the local batch grows");
  method.sync_interval = read_part(options, "sync_interval", sync_interval_table(), "constant",
                                   "H, local steps between two synchronizations");
  read_batch_size(options, read);
  method.inner_steps = read.inner_optimizer.linear;
  method.velocity_at_sync = read.inner_optimizer.at_sync;
  read_statistics(options, read);
  if (!read.problem.make) read.batch_norm_at_sync = read_batch_norm_at_sync(options);
  Options communication = options.part("communication", "what travels at a synchronization");
  method.payload =
      communication.choice(
          "parameters",
          {.fallback = "f32",
           .choices = {"f32", "bf16"},
           .meaning = "the workers' parameters as they are, or their moves since the last "
                      "synchronization in half as many bytes, what rounding takes away being sent "
                      "along with the next one"}) == "bf16"
          ? Payload::kBfloat16
          : Payload::kFloat32;
  Options evaluation = options.part("evaluation", "of the averaged model on the whole test set");
  read.evaluate_every_samples = evaluation.integer(
      "every_samples",
      {.fallback = 0, .min = 0, .meaning = "samples between evaluations, 0: once per epoch"});
  options.finish();
  read.resolved = options.declarations();
  if (!read.kernels.path.empty()) {
    // Settings are the same only if the content is, so the record names the content.
    const auto hash = std::ranges::find(read.resolved, "kernels_hash", &Declaration::key);
    hash->value = fmt::format("'{}'", read.kernels.hash());
  }
  return read;
}

}  // namespace localbatch
