#include "problems/binary_features.h"

#include <cmath>

#include "core/error.h"
#include "core/random.h"

namespace localbatch {

namespace {

/// Appends the means of all squares of the image's channels.
void append_pooled(std::span<const std::uint8_t> image, const ImageShape& shape, int pool,
                   std::vector<double>& pooled) {
  const std::size_t row_size = shape.width;
  const std::size_t rows = shape.size() / row_size;
  const std::size_t side = pool;
  for (std::size_t top = 0; top < rows; top += side)
    for (std::size_t left = 0; left < row_size; left += side) {
      int sum = 0;
      for (std::size_t y = top; y < top + side; ++y)
        for (std::size_t x = left; x < left + side; ++x) sum += image[y * row_size + x];
      pooled.push_back(static_cast<double>(sum) / (255.0 * pool * pool));
    }
}

/// Makes the mean of every column 0 and the mean square of all values 1.
void normalize(std::vector<double>& values, std::size_t columns) {
  const std::size_t rows = values.size() / columns;
  std::vector<double> mean(columns);
  for (std::size_t i = 0; i < values.size(); ++i)
    mean[i % columns] += values[i] / static_cast<double>(rows);
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] -= mean[i % columns];
    sum += values[i] * values[i];
  }
  if (sum == 0) return;
  const double scale = std::sqrt(static_cast<double>(values.size()) / sum);
  for (double& value : values) value *= scale;
}

}  // namespace

BinaryFeatures binary_features(const LabelledImages& images, const ImageFeatures& wanted) {
  const ImageShape& shape = images.shape;
  const int pool = wanted.pool;
  const std::size_t samples = wanted.samples.value_or(images.labels.size());
  if (shape.height % pool != 0 || shape.width % pool != 0)
    fail_input("problem.pool: found {}, which does not divide images of {} x {} pixels", pool,
               shape.height, shape.width);
  if (samples > images.labels.size())
    fail_input("problem.samples: found {}, but the training set has {} images", samples,
               images.labels.size());
  check(samples > 0, "a data set has training images");

  std::vector<double> pooled;
  for (std::size_t i = 0; i < samples; ++i)
    append_pooled(images.pixels.subspan(i * shape.size(), shape.size()), shape, pool, pooled);
  const std::size_t columns = pooled.size() / samples;
  normalize(pooled, columns);

  BinaryFeatures features{.size = columns + 1, .values = {}, .signs = {}};
  features.values.reserve(samples * features.size);
  for (std::size_t i = 0; i < samples; ++i) {
    for (std::size_t j = 0; j < columns; ++j)
      features.values.push_back(static_cast<float>(pooled[i * columns + j]));
    features.values.push_back(1.0F);
    features.signs.push_back(images.labels[i] < images.num_classes / 2 ? 1.0F : -1.0F);
  }
  return features;
}

BinaryFeatures generate_binary_features(const GeneratedFeatures& wanted) {
  BinaryFeatures made{.size = wanted.features + 1, .values = {}, .signs = {}};
  made.values.reserve(wanted.samples * made.size);
  for (std::size_t i = 0; i < wanted.samples; ++i) {
    RandomStream random(wanted.seed, Purpose::kProblemData, i);
    double sum = 0;
    for (std::size_t j = 0; j < wanted.features; ++j) {
      made.values.push_back(random.normal());
      sum += double{made.values.back()};
    }
    made.values.push_back(1.0F);
    const double z = wanted.signal / std::sqrt(static_cast<double>(wanted.features)) * sum;
    made.signs.push_back(double{random.uniform()} * (1 + std::exp(-z)) < 1 ? 1.0F : -1.0F);
  }
  return made;
}

}  // namespace localbatch
