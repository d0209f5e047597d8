#include "bench/networks.h"

#include <fmt/core.h>

#include <array>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "core/yaml.h"

namespace localbatch {

namespace {

constexpr SampleShape kSmallImage{.input = ImageShape{3, 32, 32}, .num_classes = 10};
constexpr SampleShape kLargeImage{.input = ImageShape{3, 224, 224}, .num_classes = 1000};

constexpr SampleShape window(int length, int vocabulary) {
  return {.input = TokenWindow{length}, .num_classes = vocabulary};
}
constexpr int kCharacters = 65;  ///< of tinyshakespeare
constexpr int kBytes = 256, kLlamaTokens = 32000;

constexpr std::array<BenchNetwork, 9> kNetworks{{
    {"resnet20", "{name: resnet, depth: 20}", kSmallImage, 128},
    {"resnet18", "{name: resnet, depth: 18}", kSmallImage, 64},
    {"resnet50", "{name: resnet, depth: 50}", kSmallImage, 32},
    {"gpt_4x128", "{name: gpt, size: nanogpt_cpu}", window(64, kCharacters), 12},
    {"llama_4x128", "{name: llama, size: small}", window(256, kBytes), 16},
    {"resnet101", "{name: resnet, depth: 101, stem: imagenet}", kLargeImage, 16},
    {"llama_6x256", "{name: llama, size: medium}", window(256, kBytes), 16},
    {"gpt_6x384", "{name: gpt, size: nanogpt_char}", window(256, kCharacters), 16},
    {"stories15m", "{name: llama, size: stories15m}", window(256, kLlamaTokens), 8},
}};
constexpr std::size_t kUsual = 5;

}  // namespace

std::span<const BenchNetwork> bench_networks() { return kNetworks; }

std::span<const BenchNetwork> usual_bench_networks() { return bench_networks().first(kUsual); }

const BenchNetwork& find_bench_network(std::string_view name, std::string_view place) {
  std::vector<std::string> names;
  for (const BenchNetwork& network : bench_networks()) {
    if (network.name == name) return network;
    names.emplace_back(network.name);
  }
  fail_input("{}: found '{}', allowed is {}", place, name, allowed_names(name, names));
}

std::unique_ptr<const Model> make_model(const BenchNetwork& network) {
  const Node node = parse_yaml(std::string(network.model), std::string(network.name));
  Options options(node);
  const ModelFactory factory = make_part(model_table(), options, "", "the network to measure");
  options.finish();
  return factory.make(network.sample);
}

std::vector<ModelConvolution> convolutions_of(const BenchNetwork& network) {
  const std::unique_ptr<const Model> model = make_model(network);
  const auto* const on_images = dynamic_cast<const ImageModel*>(model.get());
  if (on_images == nullptr) return {};
  return distinct_convolutions(*on_images);
}

InnerOptimizerFactory bench_optimizer(const SampleShape& sample) {
  if (sample.image() != nullptr) return make_sgd({.momentum = 0.9, .weight_decay = 5e-4});
  return make_adamw(
      {.beta2 = 0.99, .weight_decay = 0.1, .decay = Decay::kMatrices, .clip_norm = 1});
}

}  // namespace localbatch
