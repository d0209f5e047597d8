#include "bench/networks.h"

#include <fmt/core.h>

#include <array>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace localbatch {

std::span<const BenchNetwork> bench_networks() {
  static constexpr std::array<BenchNetwork, 4> kNetworks{{
      {.name = "resnet20", .depth = 20, .batch = 128},
      {.name = "resnet18", .depth = 18, .batch = 64},
      {.name = "resnet50", .depth = 50, .batch = 32},
      {.name = "resnet101", .depth = 101, .batch = 16, .imagenet = true},
  }};
  return kNetworks;
}

std::span<const BenchNetwork> usual_bench_networks() {
  constexpr std::size_t kUsual = 3;
  return bench_networks().first(kUsual);
}

const BenchNetwork& find_bench_network(std::string_view name, std::string_view place) {
  std::vector<std::string> names;
  for (const BenchNetwork& network : bench_networks()) {
    if (network.name == name) return network;
    names.emplace_back(network.name);
  }
  fail_input("{}: found '{}', allowed is {}", place, name, allowed_names(name, names));
}

ImageModel make_model(const BenchNetwork& network) {
  const SampleShape sample =
      network.imagenet ? SampleShape{.input = ImageShape{3, 224, 224}, .num_classes = 1000}
                       : SampleShape{.input = ImageShape{3, 32, 32}, .num_classes = 10};
  return resnet({.depth = network.depth, .imagenet_stem = network.imagenet}, sample);
}

InnerOptimizerFactory bench_optimizer() {
  return make_sgd({.momentum = 0.9, .weight_decay = 5e-4});
}

}  // namespace localbatch
