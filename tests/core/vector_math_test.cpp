#include "core/vector_math.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/random.h"

using namespace localbatch;

namespace {

std::vector<float> random_vector(std::size_t size, std::uint64_t owner) {
  RandomStream stream(1, Purpose::kTest, owner);
  std::vector<float> values(size);
  for (float& value : values) value = stream.normal();
  return values;
}

}  // namespace

TEST_CASE("sums equal plain sums in extended precision at every length") {
  for (const std::size_t size : {0U, 1U, 2U, 15U, 16U, 17U, 31U, 32U, 33U, 1000U, 4099U}) {
    CAPTURE(size);
    const std::vector<float> x = random_vector(size, 1), y = random_vector(size, 2);
    long double norm = 0, product = 0, distance = 0, scale = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const long double a = x[i], b = y[i];
      norm += a * a;
      product += a * b;
      distance += (a - b) * (a - b);
      scale += std::abs(a * b);
    }
    const double tiny = 1e-13;
    CHECK(std::abs(squared_norm(x) - static_cast<double>(norm)) <= tiny * double(norm));
    CHECK(std::abs(inner_product(x, y) - static_cast<double>(product)) <= tiny * double(scale));
    CHECK(std::abs(squared_distance(x, y) - static_cast<double>(distance)) <=
          tiny * double(distance));
  }
}

TEST_CASE("sums keep what single precision would lose") {
  std::vector<float> x(100001, 1.0F);
  x[0] = 1e5F;  // 1e10 + 100000: the ones vanish beside 1e10 in f32
  CHECK(squared_norm(x) == 1e10 + 100000);
  const std::vector<float> large{1e30F}, zero{0};
  CHECK(squared_distance(large, zero) == doctest::Approx(1e60));
}

TEST_CASE("equal arrays give equal bits at any address") {
  const std::vector<float> x = random_vector(1003, 3), y = random_vector(1003, 4);
  const double norm = squared_norm(x), product = inner_product(x, y);
  for (std::size_t shift = 1; shift < 16; ++shift) {
    std::vector<float> moved_x(shift), moved_y(shift);
    moved_x.insert(moved_x.end(), x.begin(), x.end());
    moved_y.insert(moved_y.end(), y.begin(), y.end());
    CHECK(squared_norm(std::span(moved_x).subspan(shift)) == norm);
    CHECK(inner_product(std::span(moved_x).subspan(shift), std::span(moved_y).subspan(shift)) ==
          product);
  }
}

TEST_CASE("a squared norm by several threads has the same bits however its array is cut") {
  for (const std::size_t size : {0U, 1U, 16384U, 16385U, 100003U}) {
    CAPTURE(size);
    const std::vector<float> x = random_vector(size, 6);
    const double whole = squared_norm(x, for_on_this_thread);
    CHECK(whole == doctest::Approx(squared_norm(x)).epsilon(1e-13));
    for (const std::size_t piece : {1U << 16, 1U << 14, 777U, 40000U}) {
      CAPTURE(piece);
      const ParallelFor last_piece_first = [piece](std::size_t count, const RangeWork& work) {
        for (std::size_t end = (count + piece - 1) / piece; end > 0; --end)
          work((end - 1) * piece, std::min(count, end * piece));
      };
      CHECK(squared_norm(x, last_piece_first) == whole);
    }
  }
}

TEST_CASE("one infinity or NaN anywhere is found, and finite extremes are not mistaken for one") {
  using Limits = std::numeric_limits<float>;
  CHECK(all_finite({}));
  const std::vector<float> extremes{
      Limits::max(), Limits::lowest(), Limits::max(), Limits::denorm_min(), -0.0F, Limits::min()};
  CHECK(all_finite(extremes));
  for (const float bad : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()})
    for (std::size_t place = 0; place < 67; ++place) {
      std::vector<float> x = random_vector(67, 5);
      CHECK(all_finite(x));
      x[place] = bad;
      CHECK_FALSE(all_finite(x));
    }
  const std::vector<float> both{Limits::infinity(), -Limits::infinity()};
  CHECK_FALSE(all_finite(both));
}
