#include "experiment/network_factory.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace localbatch {

namespace {

void read_execution(Options& file, bool cpu_has_bfloat16, NetworkSettings& settings) {
  settings.precision = file.choice<Precision>(
      "precision", {.fallback = Precision::kFloat32,
                    .choices = {{"f32", Precision::kFloat32}, {"bf16", Precision::kBfloat16}},
                    .meaning = "of products and activations of convolutions, or of matrix products "
                               "of tokens; parameters, gradients, statistics and loss are always "
                               "f32"});
  settings.convolution = file.choice<ConvolutionRule>(
      "convolution",
      {.fallback = ConvolutionRule::kAuto,
       .choices = {kConvolutionRules.begin(), kConvolutionRules.end()},
       .meaning = "3x3 convolutions with stride 1 directly by oneDNN or by our own Winograd "
                  "kernels, with another speed and rounding; auto: winograd in a program that was "
                  "built for fused multiply-adds, else direct"});
  if (settings.convolution == ConvolutionRule::kWinograd && !settings.model.has_3x3_convolutions)
    file.fail("convolution",
              "found 'winograd', which is for models with 3x3 convolutions with stride 1; "
              "allowed here is auto | direct");
  if (settings.precision == Precision::kFloat32) return;
  if (!settings.model.has_bfloat16)
    file.fail("precision", "found 'bf16', which is for resnet, llama and gpt; allowed here is f32");
  if (!cpu_has_bfloat16)
    file.fail("precision",
              "found 'bf16', which this CPU does not have (avx512_bf16); allowed here is f32");
}

void read_kernels(Options& file, NetworkSettings& settings) {
  const std::string path =
      file.text("kernels",
                {.fallback = "",
                 .meaning = "file of 'localbatch bench --tune', relative to the working directory: "
                            "kernels of convolutions, with their rounding, instead of the rule's"});
  const std::string hash = file.text(
      "kernels_hash",
      {.fallback = "",
       .meaning = "of the content of 'kernels'; a run records it, and a file that has changed "
                  "since is refused"});
  if (path.empty() && hash.empty()) return;
  if (path.empty()) file.fail("kernels_hash", "found without 'kernels', expected both");
  const KernelsFile kernels = read_kernels_file(path);
  if (!hash.empty() && hash != kernels.hash())
    file.fail("kernels_hash", fmt::format("found '{}', but that of '{}' is '{}': not the file "
                                          "that these settings were recorded with",
                                          hash, path, kernels.hash()));
  if (const KernelOverride* const other = kernel_against(kernels.choices, settings.convolution))
    file.fail("kernels", fmt::format("found {} in {}, allowed with 'convolution: {}' is {}",
                                     algorithm_name(other->choice), other->where,
                                     name_of(settings.convolution), name_of(settings.convolution)));
  settings.kernels = kernels;
}

/// Keys of a model that every implementation shares.
void read_initial(Options& model, NetworkSettings& settings) {
  const std::string path = model.text(
      "initial",
      {.fallback = "",
       .meaning = "file of parameters to start from, in the safetensors format, relative to the "
                  "working directory: names and shapes as in final_parameters.safetensors, which "
                  "for ResNets are torchvision's; empty: random values"});
  const std::string hash = model.text(
      "initial_hash", {.fallback = "",
                       .meaning = "of the content of 'initial'; a run records it, and a file that "
                                  "has changed since is refused"});
  if (path.empty() && hash.empty()) return;
  if (path.empty()) model.fail("initial_hash", "found without 'initial', expected both");
  const InitialFile initial = find_initial_file(path);
  if (!hash.empty() && hash != initial.hash)
    model.fail("initial_hash", fmt::format("found '{}', but that of '{}' is '{}': not the file "
                                           "that these settings were recorded with",
                                           hash, path, initial.hash));
  settings.initial = initial;
}

/// Puts the hash of a file's content into the recorded settings, which are the same only if the
/// content is.
void record_hash(std::vector<Declaration>& keys, const char* key, const std::string& hash) {
  std::ranges::find(keys, key, &Declaration::key)->value = fmt::format("'{}'", hash);
}

}  // namespace

DatasetFactory read_dataset(Options& file) {
  Options part = file.part("dataset", "which images or texts, and where they are");
  DatasetFactory dataset = make_part(dataset_table(), part, "", "which implementation");
  const std::optional<std::int64_t> held_out = part.optional_integer(
      "validation",
      {.min = 1,
       .max = std::numeric_limits<std::uint32_t>::max(),
       .meaning =
           "samples that are held out of training and evaluated, all of them and without "
           "augmentation, beside the test set, so that tables need not choose by the test "
           "set: of images those that a fixed key draws, the same in runs of all seeds; of a "
           "text its end, as windows overlap. Epochs and partitions are of what is left"});
  dataset.held_out = static_cast<std::size_t>(held_out.value_or(0));
  return dataset;
}

void NetworkTaskFactory::read_parts(Options& file, bool cpu_has_bfloat16) {
  settings_.dataset = read_dataset(file);
  Options augmentation = file.part("augmentation", "random changes of training images");
  settings_.augmentation = read_augmentation(augmentation);
  Options model = file.part("model", "the network");
  settings_.model = make_part(model_table(), model, "resnet", "which implementation");
  read_initial(model, settings_);
  settings_.label_smoothing =
      file.optional_number(
              "label_smoothing",
              {.min = 0,
               .max = 0.99,
               .meaning = "share of a target's probability that training gives to all classes, or "
                          "tokens, alike (Szegedy et al. 2016); losses in curves are those of the "
                          "targets as they are"})
          .value_or(0);
  read_execution(file, cpu_has_bfloat16, settings_);
  read_kernels(file, settings_);
}

void NetworkTaskFactory::read_batch_size(Options& batch_size) {
  settings_.micro_batch = batch_size.integer<int>(
      "micro_batch",
      {.fallback = 64,
       .min = 1,
       .max = 4096,
       .meaning = "most samples that the network sees at once; larger local batches are added up "
                  "from equal parts, and batch norm takes its statistics over such a micro-batch"});
}

void NetworkTaskFactory::read_synchronization(Options& file) {
  settings_.batch_norm_at_sync = read_batch_norm_at_sync(file);
}

void NetworkTaskFactory::complete(std::vector<Declaration>& resolved) const {
  if (settings_.kernels) record_hash(resolved, "kernels_hash", settings_.kernels->hash());
  if (settings_.initial)
    record_hash(std::ranges::find(resolved, "model", &Declaration::key)->parts, "initial_hash",
                settings_.initial->hash);
}

std::vector<SettingsFile> NetworkTaskFactory::files() const {
  if (!settings_.kernels) return {};
  return {{.name = "kernels.yaml", .text = settings_.kernels->text}};
}

std::unique_ptr<Task> NetworkTaskFactory::load(const WorkerSettings& workers) const {
  return std::make_unique<NetworkTask>(settings_, workers);
}

}  // namespace localbatch
