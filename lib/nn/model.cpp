#include "nn/model.h"

#include <fmt/core.h>

#include <array>

#include "nn/image_model.h"
#include "nn/token_predictor.h"

namespace localbatch {

std::size_t total_size(std::span<const TensorView> tensors) {
  return tensors.empty() ? 0 : tensors.back().offset + tensors.back().size;
}

std::unique_ptr<TokenPredictor> Model::make_predictor(const ExecutionOptions& /*options*/,
                                                      std::span<const float> /*canonical*/) const {
  return nullptr;
}

std::span<const PartRow<ModelFactory>> model_table() {
  static constexpr std::array<PartRow<ModelFactory>, 5> kTable{{
      {.name = "resnet",
       .summary = "residual network (He et al. 2016) for small or large images",
       .make = make_resnet,
       .source = "He et al. 2016"},
      {.name = "llama",
       .summary = "decoder of tokens with RMSNorm, rotary positions, grouped queries and SwiGLU",
       .make = make_llama,
       .source = "Touvron et al. 2023; rotary positions half-split, as Hugging Face has them"},
      {.name = "gpt",
       .summary = "decoder of tokens with LayerNorm, learned positions and GELU",
       .make = make_gpt,
       .source = "Radford et al. 2019, as in nanoGPT"},
      {.name = "mlp", .summary = "fully connected layers with ReLU", .make = make_mlp},
      {.name = "softmax_regression",
       .summary = "one linear layer: convex, for tests and theory",
       .make = make_softmax_regression},
  }};
  return kTable;
}

ImageModel mlp(const MlpSettings& settings, const SampleShape& sample) {
  ImageModel model(sample);
  ValueId x = 0;
  for (int i = 1; i <= settings.hidden_layers; ++i) {
    x = model.add(fmt::format("fc{}", i), Dense{.src = x, .features = settings.hidden_features});
    x = model.add(fmt::format("relu{}", i), Relu{.src = x});
  }
  model.add("fc", Dense{.src = x, .features = sample.num_classes});
  return model;
}

ModelFactory make_mlp(Options& options) {
  MlpSettings settings;
  settings.hidden_layers =
      options.integer<int>("hidden_layers", {.fallback = settings.hidden_layers,
                                             .min = 1,
                                             .max = 100,
                                             .meaning = "number of hidden layers"});
  settings.hidden_features =
      options.integer<int>("hidden_features", {.fallback = settings.hidden_features,
                                               .min = 1,
                                               .max = 65536,
                                               .meaning = "width of each of them"});
  return {.make = [settings](const SampleShape& sample) {
    return std::make_unique<const ImageModel>(mlp(settings, sample));
  }};
}

ImageModel softmax_regression(const SampleShape& sample) {
  ImageModel model(sample);
  model.add("fc", Dense{.src = 0, .features = sample.num_classes});
  return model;
}

ModelFactory make_softmax_regression(Options&) {
  return {.make = [](const SampleShape& sample) {
    return std::make_unique<const ImageModel>(softmax_regression(sample));
  }};
}

}  // namespace localbatch
