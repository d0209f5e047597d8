#pragma once

#include <span>
#include <string>
#include <string_view>

#include "nn/model.h"
#include "optim/inner_optimizer.h"

namespace localbatch {

/// A network that is measured, on images of 3x32x32 in ten classes.
struct BenchNetwork {
  std::string_view name;   ///< on the command line
  std::string_view depth;  ///< of the residual network with the stem for small images
  int batch;               ///< the micro-batch it is usually measured with
};

/// resnet20, resnet18, resnet50.
std::span<const BenchNetwork> bench_networks();

/// Throws an InputError that begins with `place` when there is no network of that name.
const BenchNetwork& find_bench_network(std::string_view name, std::string_view place);

Model make_model(const BenchNetwork& network);

/// SGD with momentum 0.9 and weight decay 5e-4.
InnerOptimizerChoice bench_optimizer();

}  // namespace localbatch
