#include "nn/test_models.h"

#include <algorithm>

#include "core/make_node.h"
#include "core/random.h"

namespace localbatch {

Model make_test_model(const std::string& name,
                      const std::vector<std::pair<std::string, std::string>>& keys,
                      const ImageShape& input, int num_classes) {
  std::vector<std::pair<std::string, Node>> entries{{"name", scalar(name)}};
  for (const auto& [key, value] : keys) entries.emplace_back(key, scalar(value));
  const Node node = map(entries);
  Options options(node);
  const ModelMaker maker = make_part(model_table(), options, "", "the model under test");
  options.finish();
  return maker(input, num_classes);
}

TestBatch::TestBatch(const ImageShape& shape, int num_classes, std::size_t count,
                     std::uint64_t seed)
    : image_size(shape.size()), pixels(count * image_size), labels(count) {
  RandomStream random(seed, Purpose::kTest);
  for (float& pixel : pixels) pixel = random.normal();
  for (std::uint8_t& label : labels)
    label = static_cast<std::uint8_t>(random.below(static_cast<std::uint32_t>(num_classes)));
}

TestWorker::TestWorker(const Network& network, std::uint64_t seed)
    : parameters(network.parameter_count()),
      statistics(network.statistics_count()),
      gradient(network.parameter_count()) {
  std::vector<float> canonical(parameters.size());
  initialize_parameters(network.model(), seed, canonical);
  initialize_statistics(network.model(), statistics);
  network.from_canonical(canonical, parameters);
}

double TestWorker::compute_gradient(Network& network, const TestBatch& batch) {
  std::ranges::fill(gradient, 0.0F);
  network.load(parameters, statistics);
  return network.train_micro_batch(batch.pixels, batch.labels, 1, gradient);
}

std::vector<float> TestWorker::canonical_gradient(const Network& network) const {
  std::vector<float> canonical(gradient.size());
  network.to_canonical(gradient, canonical);
  return canonical;
}

}  // namespace localbatch
