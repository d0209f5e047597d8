#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/batch.h"
#include "nn/image_model.h"
#include "optim/inner_optimizer.h"

namespace localbatch {

/// A network to measure, with the samples and the micro-batch it is usually measured with.
struct BenchNetwork {
  std::string_view name;   ///< on the command line
  std::string_view model;  ///< as an experiment's `model:` says it
  SampleShape sample = {};
  int batch = 0;

  /// Networks on images have convolutions, those on tokens none.
  bool reads_images() const { return sample.image() != nullptr; }
};

/// The usual ones first: resnet20, resnet18 and resnet50 on small images, gpt_4x128 and llama_4x128
/// on tokens. Then larger ones.
std::span<const BenchNetwork> bench_networks();

/// Those that are measured when nobody asks for others.
std::span<const BenchNetwork> usual_bench_networks();

/// Throws an InputError that begins with `place` when there is no network of that name.
const BenchNetwork& find_bench_network(std::string_view name, std::string_view place);

std::unique_ptr<const Model> make_model(const BenchNetwork& network);

/// The distinct convolutions of the network; none where it reads tokens.
std::vector<ModelConvolution> convolutions_of(const BenchNetwork& network);

/// What networks on such samples are trained with. Images: SGD with momentum 0.9 and weight decay
/// 5e-4. Tokens: as nanoGPT, AdamW with beta2 0.99 and weight decay 0.1 of matrices, gradients
/// clipped to norm 1.
InnerOptimizerFactory bench_optimizer(const SampleShape& sample);

}  // namespace localbatch
