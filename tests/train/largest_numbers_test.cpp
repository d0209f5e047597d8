#include "train/largest_numbers.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/random.h"

namespace localbatch {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<float> random_numbers(std::size_t size, std::uint64_t seed) {
  RandomStream random(seed, Purpose::kTest);
  std::vector<float> values(size);
  // Few different numbers, so that magnitudes are equal often.
  for (float& value : values) value = std::round(4 * random.normal());
  return values;
}

/// What mean_of_taken makes of the numbers of one worker: the array that was taken from, with
/// zeros.
std::vector<float> unpacked(std::span<const double> taken, std::size_t size) {
  std::vector<float> values(size);
  mean_of_taken(taken, 1, values);
  return values;
}

TEST_CASE("the largest numbers are those that a stable sort has in front") {
  for (const std::size_t count : {1, 2, 30, 99, 100}) {
    const std::vector<float> values = random_numbers(100, count);
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, std::ranges::greater(),
                             [&](std::size_t i) { return std::abs(values[i]); });
    std::vector<float> expected(values.size()), expected_rest = values;
    for (std::size_t k = 0; k < count; ++k) {
      expected[order[k]] = values[order[k]];
      expected_rest[order[k]] = 0;
    }
    std::vector<float> rest = values;
    std::vector<double> taken(count);
    take_largest(rest, taken);
    CHECK(unpacked(taken, values.size()) == expected);
    CHECK(rest == expected_rest);
  }
}

TEST_CASE("numbers that are not finite are the largest, and every mean with one is the same NaN") {
  std::vector<float> values{1, std::numeric_limits<float>::infinity(), 1e30F, -kNaN};
  std::vector<double> taken(2);
  take_largest(values, taken);
  CHECK(values == std::vector<float>{1, 0, 1e30F, 0});
  const std::vector<float> mean = unpacked(taken, 4);
  CHECK(std::isinf(mean[1]));
  CHECK(std::bit_cast<std::uint32_t>(mean[3]) == std::bit_cast<std::uint32_t>(kNaN));
}

TEST_CASE("what workers have taken has the mean of arrays with zeros elsewhere") {
  constexpr std::size_t kSize = 50, kCount = 20;
  constexpr int kWorkers = 3;
  std::vector<double> all, sums(kSize);
  for (std::uint64_t worker = 0; worker < kWorkers; ++worker) {
    std::vector<float> values = random_numbers(kSize, worker);
    const std::vector<float> before = values;
    std::vector<double> taken(kCount);
    take_largest(values, taken);
    all.insert(all.end(), taken.begin(), taken.end());
    for (std::size_t i = 0; i < kSize; ++i) sums[i] += double{before[i]} - double{values[i]};
  }
  std::vector<float> mean(kSize);
  mean_of_taken(all, kWorkers, mean);
  for (std::size_t i = 0; i < kSize; ++i) CHECK(mean[i] == static_cast<float>(sums[i] / kWorkers));
}

TEST_CASE("workers that have taken the same numbers have these as their mean") {
  std::vector<float> values{0.1F, 3e-39F, -7.7F}, mean(3);
  const std::vector<float> before = values;
  std::vector<double> taken(3), all;
  take_largest(values, taken);
  for (int worker = 0; worker < 7; ++worker) all.insert(all.end(), taken.begin(), taken.end());
  mean_of_taken(all, 7, mean);
  CHECK(mean == before);
}

}  // namespace
}  // namespace localbatch
