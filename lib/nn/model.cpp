#include "nn/model.h"

#include <array>

namespace localbatch {

std::size_t total_size(std::span<const TensorView> tensors) {
  return tensors.empty() ? 0 : tensors.back().offset + tensors.back().size;
}

std::span<const PartRow<ModelFactory>> model_table() {
  static constexpr std::array<PartRow<ModelFactory>, 3> kTable{{
      {.name = "resnet",
       .summary = "residual network (He et al. 2016) for small or large images",
       .make = make_resnet,
       .source = "He et al. 2016"},
      {.name = "mlp", .summary = "fully connected layers with ReLU", .make = make_mlp},
      {.name = "softmax_regression",
       .summary = "one linear layer: convex, for tests and theory",
       .make = make_softmax_regression},
  }};
  return kTable;
}

}  // namespace localbatch
