#include "core/vector_math.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include "core/error.h"

namespace localbatch {

namespace {

/// Sums term(0) .. term(n - 1) in 16 interleaved partial sums: the compiler may keep them in vector
/// registers without being allowed to reorder anything.
template <class Term>
double sum_terms(std::size_t n, const Term& term) {
  constexpr std::size_t kLanes = 16;
  std::array<double, kLanes> partial{};
  const std::size_t whole = n - n % kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) partial[lane] += term(i + lane);
  for (std::size_t i = whole; i < n; ++i) partial[i - whole] += term(i);
  double sum = 0;
  for (const double lane : partial) sum += lane;
  return sum;
}

}  // namespace

double squared_norm(std::span<const float> x) { return inner_product(x, x); }

double squared_norm(std::span<const float> x, const ParallelFor& parallel_for) {
  constexpr std::size_t kBlock = std::size_t{1} << 14;
  std::vector<double> blocks((x.size() + kBlock - 1) / kBlock);
  parallel_for(x.size(), [&](std::size_t first, std::size_t last) {
    // A block belongs to the range that it begins in.
    for (std::size_t block = (first + kBlock - 1) / kBlock; block * kBlock < last; ++block) {
      const std::size_t begin = block * kBlock;
      blocks[block] = squared_norm(x.subspan(begin, std::min(kBlock, x.size() - begin)));
    }
  });
  return std::accumulate(blocks.begin(), blocks.end(), 0.0);
}

double inner_product(std::span<const float> x, std::span<const float> y) {
  check(x.size() == y.size(), "inner products are taken between arrays of one length");
  return sum_terms(x.size(), [=](std::size_t i) { return double{x[i]} * double{y[i]}; });
}

double squared_distance(std::span<const float> x, std::span<const float> y) {
  check(x.size() == y.size(), "distances are taken between arrays of one length");
  return sum_terms(x.size(), [=](std::size_t i) {
    const double difference = double{x[i]} - double{y[i]};
    return difference * difference;
  });
}

bool all_finite(std::span<const float> x) {
  // x * 0 is NaN exactly for the infinities and NaNs.
  float sum = 0;
  for (const float value : x) sum += value * 0.0F;
  return sum == 0.0F;
}

}  // namespace localbatch
