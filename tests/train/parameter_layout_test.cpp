#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/make_node.h"
#include "nn/model.h"
#include "nn/network.h"
#include "train/worker_state.h"

namespace localbatch {
namespace {

std::unique_ptr<const Model> make_model(const std::string& name, const SampleShape& sample) {
  const Node node = map({{"name", scalar(name)}});
  Options options(node);
  return make_part(model_table(), options, "", "").make(sample);
}

/// Every hidden matrix of a worker's arrays has the numbers of an output in one row, in any order.
void check_rows(const Model& model, std::size_t expected_matrices) {
  const std::vector<TensorView> tensors = model.parameter_tensors();
  std::vector<float> canonical(model.parameter_count()), parameters(canonical.size());
  for (const TensorView& tensor : tensors) {
    const std::size_t row_size = tensor.size / static_cast<std::size_t>(tensor.dims.front());
    for (std::size_t i = 0; i < tensor.size; ++i)
      canonical[tensor.offset + i] = static_cast<float>(i / row_size);
  }
  model.make_network({.max_samples = 1})->from_canonical(canonical, parameters);
  const ParameterLayout layout = layout_of(tensors);
  CHECK(layout.hidden_matrices.size() == expected_matrices);
  std::size_t wrong = 0;
  for (const ParameterLayout::Matrix& matrix : layout.hidden_matrices)
    for (std::size_t row = 0; row < matrix.rows; ++row)
      for (std::size_t column = 0; column < matrix.columns; ++column)
        if (parameters[matrix.place(row, column)] != static_cast<float>(row)) ++wrong;
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("rows of hidden matrices are outputs, in the order that an engine keeps them in") {
  const SampleShape images{.input = ImageShape{3, 16, 16}, .num_classes = 10};
  // Without the first convolution and the classifier: 3 stages of 3 blocks of 2, and 2 shortcuts.
  check_rows(*make_model("resnet", images), 20);
  const SampleShape text{.input = TokenWindow{.length = 16}, .num_classes = 65};
  // Of each of 4 blocks c_attn, c_proj, c_fc and c_proj; of 4 blocks of llama seven.
  check_rows(*make_model("gpt", text), 16);
  check_rows(*make_model("llama", text), 28);
}

}  // namespace localbatch
