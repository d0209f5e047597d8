#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "batching/batch_size_controller.h"
#include "core/make_node.h"
#include "core/random.h"

namespace localbatch {

using Vector = std::vector<double>;

inline double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// a + factor b.
inline Vector plus(Vector a, double factor, const Vector& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += factor * b[i];
  return a;
}

/// The definitions in gradient_statistics.h, term by term, with divisor J - 1 and the biased
/// squared norm. `chunks` holds the mean gradients of chunks of `samples` samples each.
inline GradientStatistics brute_force(const std::vector<Vector>& chunks, int samples,
                                      int num_workers) {
  const int count = static_cast<int>(chunks.size());
  Vector mean(chunks.front().size());
  for (const Vector& chunk : chunks) mean = plus(mean, 1.0 / count, chunk);
  GradientStatistics statistics;
  statistics.num_workers = num_workers;
  statistics.num_chunks = count;
  statistics.global_batch_size = std::int64_t{count} * samples;
  statistics.squared_norm = dot(mean, mean);
  const double scale = samples / (count - 1.0);
  for (const Vector& chunk : chunks) {
    const Vector difference = plus(chunk, -1, mean);
    const double projection = dot(chunk, mean);
    const double along = projection - statistics.squared_norm;
    const Vector across = plus(chunk, -projection / statistics.squared_norm, mean);
    statistics.variance += scale * dot(difference, difference);
    statistics.inner_product_variance += scale * along * along;
    statistics.orthogonal_variance += scale * dot(across, across);
  }
  return statistics;
}

/// Mean gradients of `count` chunks: `signal` in every coordinate plus normal noise of per-sample
/// variance 1 in every coordinate.
inline std::vector<Vector> noisy_chunks(int count, int samples, std::size_t dimension,
                                        double signal, std::uint64_t trial) {
  RandomStream stream(21, Purpose::kTest, trial);
  std::vector<Vector> chunks(count, Vector(dimension));
  for (Vector& chunk : chunks)
    for (double& value : chunk) value = signal + stream.normal() / std::sqrt(samples);
  return chunks;
}

/// Four workers with 64 samples each.
inline GradientStatistics statistics_of(double variance, double squared_norm) {
  return {.num_workers = 4,
          .num_chunks = 4,
          .global_batch_size = 256,
          .variance = variance,
          .squared_norm = squared_norm};
}

inline std::shared_ptr<const BatchSizeController> controller(
    const std::vector<std::pair<std::string, std::string>>& keys) {
  std::vector<std::pair<std::string, Node>> entries;
  entries.reserve(keys.size());
  for (const auto& [key, value] : keys) entries.emplace_back(key, scalar(value));
  const Node file = map(entries);
  Options options(file);
  std::shared_ptr<const BatchSizeController> made =
      make_part(batch_size_controller_table(), options, "", "");
  options.finish();
  return made;
}

}  // namespace localbatch
