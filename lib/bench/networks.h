#pragma once

#include <span>
#include <string>
#include <string_view>

#include "nn/image_model.h"
#include "optim/inner_optimizer.h"

namespace localbatch {

/// A residual network to measure.
struct BenchNetwork {
  std::string_view name;  ///< on the command line
  int depth;
  int batch;  ///< the micro-batch it is usually measured with
  /// Images of 3x224x224 in 1000 classes and the stem for them, not of 3x32x32 in ten classes.
  bool imagenet = false;
};

/// resnet20, resnet18, resnet50 on small images, then resnet101 on large ones.
std::span<const BenchNetwork> bench_networks();

/// The networks on small images, which are measured when nobody asks for others.
std::span<const BenchNetwork> usual_bench_networks();

/// Throws an InputError that begins with `place` when there is no network of that name.
const BenchNetwork& find_bench_network(std::string_view name, std::string_view place);

ImageModel make_model(const BenchNetwork& network);

/// SGD with momentum 0.9 and weight decay 5e-4.
InnerOptimizerFactory bench_optimizer();

}  // namespace localbatch
