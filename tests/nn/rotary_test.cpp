#include "nn/rotary.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

using namespace localbatch;

namespace {

std::vector<float> random_head(int size, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(size));
  for (float& value : values) value = normal(random);
  return values;
}

double product_of(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

std::vector<float> rotated(const Rotary& rotary, std::vector<float> head, int position) {
  rotary.rotate(head.data(), position);
  return head;
}

}  // namespace

TEST_CASE("position 0 is the identity") {
  for (const int size : {2, 8, 48, 64}) {
    const std::vector<float> head = random_head(size, 1);
    CHECK(rotated(Rotary(3, size, 1e4), head, 0) == head);
  }
}

TEST_CASE("the pair (j, j + e/2) is turned by t base^(-2j/e), exactly at position 2047 as well") {
  constexpr int kLength = 2048;
  for (const int size : {2, 8, 48, 64, 128}) {
    const int half = size / 2;
    const Rotary rotary(kLength, size, 1e4);
    for (const int position : {1, 100, kLength - 1})
      for (int j = 0; j < half; ++j) {
        // The unit vector of a pair's first number shows cosine and sine themselves.
        std::vector<float> head(static_cast<std::size_t>(size));
        head[static_cast<std::size_t>(j)] = 1;
        head = rotated(rotary, head, position);
        const double angle = position * std::pow(1e4, -2.0 * j / size);
        CAPTURE(size);
        CAPTURE(position);
        CAPTURE(j);
        CHECK(head[static_cast<std::size_t>(j)] == static_cast<float>(std::cos(angle)));
        CHECK(head[static_cast<std::size_t>(j + half)] == static_cast<float>(std::sin(angle)));
        CHECK(product_of(head, head) == doctest::Approx(1).epsilon(1e-6));
      }
  }
}

TEST_CASE("inner products depend on the distance of positions only") {
  for (const int size : {8, 48, 64}) {
    const Rotary rotary(2048, size, 1e4);
    const std::vector<float> query = random_head(size, 2), key = random_head(size, 3);
    const auto product = [&](int t, int s) {
      return product_of(rotated(rotary, query, t), rotated(rotary, key, s));
    };
    for (const int distance : {0, 1, 30, 700}) {
      const double expected = product(distance, 0);
      for (const int s : {1, 17, 512, 1347}) {
        CAPTURE(size);
        CAPTURE(distance);
        CAPTURE(s);
        CHECK(product(s + distance, s) == doctest::Approx(expected).epsilon(1e-5).scale(1));
      }
    }
    CHECK(std::abs(product(5, 0) - product(0, 5)) > 1e-3);  // but on its sign
  }
}

TEST_CASE("rotating back undoes a rotation") {
  for (const int size : {2, 20, 64}) {
    const Rotary rotary(100, size, 500);
    const std::vector<float> head = random_head(size, 4);
    std::vector<float> there = rotated(rotary, head, 99);
    rotary.rotate_back(there.data(), 99);
    for (std::size_t i = 0; i < head.size(); ++i)
      CHECK(there[i] == doctest::Approx(head[i]).epsilon(1e-6).scale(1));
  }
}
