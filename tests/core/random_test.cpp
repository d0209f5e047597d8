#include "core/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

using namespace localbatch;

namespace {

/// Pearson's statistic of counts that should be equal; its mean is cells - 1, its variance twice
/// that.
double chi_square(const std::vector<int>& counts) {
  double total = 0;
  for (const int count : counts) total += count;
  const double expected = total / static_cast<double>(counts.size());
  double sum = 0;
  for (const int count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

double five_sigma_limit(std::size_t cells) {
  const double freedom = static_cast<double>(cells - 1);
  return freedom + 5 * std::sqrt(2 * freedom);
}

}  // namespace

TEST_CASE("philox gives the known answers that Random123 publishes") {
  using Words = std::array<std::uint32_t, 4>;
  const std::uint32_t ones = 0xffffffff;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({ones, ones, ones, ones}, {ones, ones}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("every part of a stream's name, all 64 bits of seed and owner, gives another stream") {
  const std::uint64_t high = std::uint64_t{1} << 63;
  std::set<std::pair<std::uint32_t, std::uint32_t>> starts;
  int streams = 0;
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, high})
    for (const Purpose purpose : {Purpose::kInitialization, Purpose::kShuffle, Purpose::kTest})
      for (const std::uint64_t a : {std::uint64_t{0}, std::uint64_t{1}, high})
        for (const std::uint32_t b : {0U, 1U, 0x80000000U}) {
          RandomStream stream(seed, purpose, a, b);
          const std::uint32_t first = stream.next_u32();
          starts.emplace(first, stream.next_u32());
          ++streams;
        }
  CHECK(starts.size() == streams);
}

TEST_CASE("a stream is the same whenever it is opened, and does not repeat itself") {
  std::vector<std::uint32_t> words;
  RandomStream one(3, Purpose::kTest, 5, 7);
  RandomStream other(3, Purpose::kTest, 5, 8);
  for (int i = 0; i < 1000; ++i) {
    words.push_back(one.next_u32());
    other.next_u32();
  }
  RandomStream again(3, Purpose::kTest, 5, 7);
  for (const std::uint32_t word : words) CHECK(again.next_u32() == word);
  // Two equal words among 1000 have a chance of 1e-4.
  CHECK(std::set<std::uint32_t>(words.begin(), words.end()).size() == words.size());
}

TEST_CASE("uniform numbers fill [0, 1) evenly") {
  RandomStream stream(1, Purpose::kTest);
  std::vector<int> counts(64);
  double sum = 0, sum_of_products = 0, previous = 0.5;
  constexpr int kDraws = 200000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = stream.uniform();
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    ++counts[static_cast<std::size_t>(u * 64)];
    sum += u;
    sum_of_products += (u - 0.5) * (previous - 0.5);
    previous = u;
  }
  CHECK(chi_square(counts) < five_sigma_limit(64));
  CHECK(sum / kDraws == doctest::Approx(0.5).epsilon(0.01));
  CHECK(std::abs(sum_of_products / kDraws) < 5.0 / 12 / std::sqrt(kDraws));
}

TEST_CASE("normal numbers have the moments and the tails of a standard normal") {
  RandomStream stream(2, Purpose::kTest);
  constexpr int kDraws = 200000;
  std::array<double, 5> moment{};
  int beyond_two = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = stream.normal();
    REQUIRE(std::isfinite(x));
    double power = 1;
    for (double& sum : moment) {
      sum += power;
      power *= x;
    }
    if (std::abs(x) > 2) ++beyond_two;
  }
  for (double& sum : moment) sum /= kDraws;
  // Five standard errors: the variances of x, x^2, x^3 and x^4 are 1, 2, 15 and 96.
  const double root = 5 / std::sqrt(kDraws);
  CHECK(std::abs(moment[1]) < root);
  CHECK(std::abs(moment[2] - 1) < root * std::sqrt(2));
  CHECK(std::abs(moment[3]) < root * std::sqrt(15));
  CHECK(std::abs(moment[4] - 3) < root * std::sqrt(96));
  CHECK(std::abs(beyond_two / double{kDraws} - std::erfc(std::sqrt(2))) <
        root * std::sqrt(0.0455 * 0.9545));
}

TEST_CASE("numbers below a small bound are equally frequent") {
  for (const std::uint32_t bound : {2U, 3U, 7U, 10U, 100U}) {
    CAPTURE(bound);
    RandomStream stream(bound, Purpose::kTest);
    std::vector<int> counts(bound);
    for (int i = 0; i < 60000; ++i) {
      const std::uint32_t drawn = stream.below(bound);
      REQUIRE(drawn < bound);
      ++counts[drawn];
    }
    CHECK(chi_square(counts) < five_sigma_limit(bound));
  }
  RandomStream stream(1, Purpose::kTest);
  for (int i = 0; i < 10; ++i) CHECK(stream.below(1) == 0);
}

TEST_CASE("a bound that does not divide 2^32 favours nobody") {
  // Without rejection, every third number of this range would be twice as frequent: it is the
  // residue that shows it, or the lowest third, depending on the method.
  constexpr std::uint32_t kBound = 3U << 30;
  RandomStream stream(4, Purpose::kTest);
  std::vector<int> thirds(3), residues(3);
  for (int i = 0; i < 60000; ++i) {
    const std::uint32_t drawn = stream.below(kBound);
    REQUIRE(drawn < kBound);
    ++thirds[drawn >> 30];
    ++residues[drawn % 3];
  }
  CHECK(chi_square(thirds) < five_sigma_limit(3));
  CHECK(chi_square(residues) < five_sigma_limit(3));
}

TEST_CASE("a permutation holds every number once") {
  for (const std::uint32_t size : {0U, 1U, 2U, 17U, 5000U}) {
    CAPTURE(size);
    std::vector<std::uint32_t> order = random_permutation(size, {1, Purpose::kShuffle, size});
    REQUIRE(order.size() == size);
    std::ranges::sort(order);
    for (std::uint32_t i = 0; i < size; ++i) REQUIRE(order[i] == i);
  }
}

TEST_CASE("all permutations are equally frequent over epochs") {
  std::map<std::vector<std::uint32_t>, int> seen;
  for (std::uint64_t epoch = 0; epoch < 24000; ++epoch)
    ++seen[random_permutation(4, {9, Purpose::kShuffle, epoch})];
  REQUIRE(seen.size() == 24);
  std::vector<int> counts;
  counts.reserve(seen.size());
  for (const auto& [order, count] : seen) counts.push_back(count);
  CHECK(chi_square(counts) < five_sigma_limit(24));
}
