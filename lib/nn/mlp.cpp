#include <fmt/format.h>

#include "nn/models.h"

namespace localbatch {

ModelMaker make_mlp(Options& options) {
  const auto hidden_layers = static_cast<int>(
      options.integer("hidden_layers",
                      {.fallback = 2, .min = 1, .max = 100, .meaning = "number of hidden layers"}));
  const auto hidden_features = static_cast<int>(options.integer(
      "hidden_features",
      {.fallback = 128, .min = 1, .max = 65536, .meaning = "width of each of them"}));
  return [=](const ImageShape& input, int num_classes) {
    Model model(input);
    ValueId x = 0;
    for (int i = 0; i < hidden_layers; ++i) {
      x = model.add(fmt::format("fc{}", i + 1), Dense{.src = x, .features = hidden_features});
      x = model.add(fmt::format("relu{}", i + 1), Relu{.src = x});
    }
    model.add("fc", Dense{.src = x, .features = num_classes});
    return model;
  };
}

ModelMaker make_softmax_regression(Options&) {
  return [](const ImageShape& input, int num_classes) {
    Model model(input);
    model.add("fc", Dense{.src = 0, .features = num_classes});
    return model;
  };
}

}  // namespace localbatch
