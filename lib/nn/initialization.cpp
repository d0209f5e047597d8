#include "nn/initialization.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/random.h"

namespace localbatch {

void initialize_parameters(const Model& model, std::uint64_t seed, std::span<float> canonical) {
  const std::vector<TensorView> tensors = parameter_tensors(model);
  check(canonical.size() == total_size(tensors), "there is a place for every parameter");
  for (std::size_t index = 0; index < tensors.size(); ++index) {
    const TensorView& tensor = tensors[index];
    const std::span<float> values = canonical.subspan(tensor.offset, tensor.size);
    if (tensor.dims.size() == 1) {
      const auto* const normalization =
          std::get_if<Normalization>(&model.layers()[tensor.layer].kind);
      const bool is_scale = normalization != nullptr && tensor.name.ends_with(".weight");
      std::ranges::fill(values, is_scale && !normalization->zero_scale ? 1.0F : 0.0F);
      continue;
    }
    const bool classifier = tensor.layer + 1 == model.layers().size();
    const auto fan_in = static_cast<double>(tensor.size) / tensor.dims[0];
    const auto deviation = static_cast<float>(std::sqrt((classifier ? 1 : 2) / fan_in));
    RandomStream random(seed, Purpose::kInitialization, index);
    for (float& value : values) value = deviation * random.normal();
  }
}

void initialize_statistics(const Model& model, std::span<float> statistics) {
  for (const TensorView& tensor : statistics_tensors(model))
    std::ranges::fill(statistics.subspan(tensor.offset, tensor.size),
                      tensor.name.ends_with(".running_var") ? 1.0F : 0.0F);
}

}  // namespace localbatch
