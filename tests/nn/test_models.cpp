#include "nn/test_models.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/make_node.h"
#include "core/random.h"
#include "core/vector_math.h"

namespace localbatch {

ImageModel make_test_model(const std::string& name,
                           const std::vector<std::pair<std::string, std::string>>& keys,
                           const ImageShape& input, int num_classes) {
  std::vector<std::pair<std::string, Node>> entries{{"name", scalar(name)}};
  for (const auto& [key, value] : keys) entries.emplace_back(key, scalar(value));
  const Node node = map(entries);
  Options options(node);
  const ModelFactory factory = make_part(model_table(), options, "", "the model under test");
  options.finish();
  const std::unique_ptr<const Model> model =
      factory.make({.input = input, .num_classes = num_classes});
  return dynamic_cast<const ImageModel&>(*model);
}

ImageModel resnet20() { return make_test_model("resnet", {{"depth", "20"}}, {3, 32, 32}, 10); }

double relative_distance(std::span<const float> x, std::span<const float> y) {
  return std::sqrt(squared_distance(x, y) / squared_norm(y));
}

TestBatch::TestBatch(const ImageShape& shape, int num_classes, std::size_t count,
                     std::uint64_t seed)
    : image_size(shape.size()), pixels(count * image_size), targets(count) {
  RandomStream random(seed, Purpose::kTest);
  for (float& pixel : pixels) pixel = random.normal();
  for (std::int32_t& target : targets)
    target = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(num_classes)));
}

std::vector<float> repetitive_parameters(const ImageModel& model) {
  std::vector<float> normal(4093);  // a prime, lest filters repeat
  RandomStream random(1, Purpose::kTest);
  for (float& value : normal) value = random.normal();
  const std::vector<TensorView> tensors = model.parameter_tensors();
  std::vector<float> parameters(total_size(tensors));
  for (const TensorView& tensor : tensors) {
    const std::size_t inputs = tensor.size / static_cast<std::size_t>(tensor.dims.front());
    const bool is_vector = tensor.dims.size() == 1;
    const float deviation = is_vector ? 0.1F : std::sqrt(2.0F / static_cast<float>(inputs));
    const float mean = is_vector && tensor.name.ends_with("weight") ? 1 : 0;
    for (std::size_t i = 0; i < tensor.size; ++i)
      parameters[tensor.offset + i] =
          mean + deviation * normal[(tensor.offset + i) % normal.size()];
  }
  return parameters;
}

TestWorker::TestWorker(const ImageNetwork& network, std::span<const float> canonical)
    : parameters(network.parameter_count()),
      running_moments(network.running_moment_count()),
      gradient(network.parameter_count(), std::numeric_limits<float>::quiet_NaN()) {
  network.model().initialize_running_moments(running_moments);
  network.from_canonical(canonical, parameters);
}

TestWorker::TestWorker(const ImageNetwork& network, std::uint64_t seed)
    : parameters(network.parameter_count()),
      running_moments(network.running_moment_count()),
      gradient(network.parameter_count(), std::numeric_limits<float>::quiet_NaN()) {
  std::vector<float> canonical(parameters.size());
  network.model().initialize_parameters(seed, canonical);
  network.model().initialize_running_moments(running_moments);
  network.from_canonical(canonical, parameters);
}

double TestWorker::compute_gradient(ImageNetwork& network, const TestBatch& batch) {
  network.load(parameters, running_moments);
  return network.train(batch.all(), 1, gradient, GradientUse::kReplace);
}

std::vector<float> TestWorker::canonical_gradient(const ImageNetwork& network) const {
  std::vector<float> canonical(gradient.size());
  network.to_canonical(gradient, canonical);
  return canonical;
}

}  // namespace localbatch
