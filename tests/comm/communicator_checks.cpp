#include "comm/communicator_checks.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "comm/mean_of_arrays.h"

namespace localbatch {

namespace {

/// Mixes a worker and a place into 64 random bits (the finalizer of MurmurHash3).
std::uint64_t mixed(std::uint64_t worker, std::uint64_t i) {
  std::uint64_t x = (worker + 1) * 0x9E3779B97F4A7C15U ^ (i + 1) * 0xC2B2AE3D27D4EB4FU;
  x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCDU;
  x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53U;
  return x ^ (x >> 33);
}

/// Either an ordinary number or one of 2^-60, 1 and 2^60 with a sign: large ones cancel and what
/// they swallowed depends on the order.
float value_of(int worker, std::size_t i) {
  const std::uint64_t bits = mixed(worker, i);
  const float sign = (bits & 1) != 0 ? -1.0F : 1.0F;
  if (i % 3 == 0) return sign * std::ldexp(1.0F, static_cast<int>((bits >> 8) % 3) * 60 - 60);
  return sign * static_cast<float>(bits >> 40) * 0x1p-24F;
}

/// Of workers first .. first + count - 1, in the order that subtree_means.h promises. `place` says
/// whose value a worker has.
template <class Place>
float mean_along_tree(int first, int count, std::size_t i, const Place& place) {
  if (count == 1) return value_of(place(first), i);
  int left = 1;
  while (2 * left < count) left *= 2;
  const float l = mean_along_tree(first, left, i, place);
  const float r = mean_along_tree(first + left, count - left, i, place);
  return l + (r - l) * static_cast<float>(count - left) / static_cast<float>(count);
}

float expected_mean(int num_workers, std::size_t i) {
  return mean_along_tree(0, num_workers, i, [](int worker) { return worker; });
}

float mean_in_reverse_order(int num_workers, std::size_t i) {
  return mean_along_tree(0, num_workers, i, [=](int worker) { return num_workers - 1 - worker; });
}

std::vector<float> values_of(int worker, std::size_t length) {
  std::vector<float> values(length);
  for (std::size_t i = 0; i < length; ++i) values[i] = value_of(worker, i);
  return values;
}

std::uint64_t bits_of(double x) { return std::bit_cast<std::uint64_t>(x); }
std::uint32_t bits_of(float x) { return std::bit_cast<std::uint32_t>(x); }

/// 48 bits that change with every bit of the array and its place, exact as a double.
double checksum(const std::vector<float>& values) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += mixed(bits_of(values[i]), i);
  return static_cast<double>(sum >> 16);
}

/// Every worker looks at its share of the places; equal checksums extend that to all arrays.
void check_mean(Communicator& communicator, const std::vector<float>& mean) {
  const int num_workers = communicator.num_workers();
  std::size_t num_wrong = 0;
  for (std::size_t i = communicator.worker(); i < mean.size(); i += num_workers)
    if (bits_of(mean[i]) != bits_of(expected_mean(num_workers, i))) ++num_wrong;
  CHECK(num_wrong == 0);

  std::vector<double> checksums(num_workers, 0.0);
  const double own = checksum(mean);
  checksums[communicator.worker()] = own;
  communicator.sum(checksums, Traffic::kControl);
  for (const double other : checksums) CHECK(other == own);
}

/// The values of these checks would catch another order.
void check_that_order_shows(int num_workers) {
  std::size_t num_different = 0;
  for (std::size_t i = 0; i < 1000; ++i)
    if (expected_mean(num_workers, i) != mean_in_reverse_order(num_workers, i)) ++num_different;
  if (num_workers > 2) CHECK(num_different > 0);
}

void check_non_finite_means(Communicator& communicator) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const int num_workers = communicator.num_workers();
  const bool last = communicator.worker() == num_workers - 1;
  // Two NaNs that differ in their bits, infinities and negative zeros.
  std::vector<float> values = {last ? std::bit_cast<float>(0xFFC12345U) : 1.0F,
                               std::bit_cast<float>(0x7FC00000U + communicator.worker()),
                               last ? kInfinity : 1.0F,
                               communicator.worker() % 2 == 0 ? kInfinity : -kInfinity, -0.0F};
  communicator.average(values, values, Traffic::kParameters);
  const std::uint32_t quiet_nan = bits_of(std::numeric_limits<float>::quiet_NaN());
  CHECK(bits_of(values[0]) == quiet_nan);
  CHECK(bits_of(values[1]) == quiet_nan);
  CHECK(values[2] == kInfinity);
  CHECK((num_workers == 1 ? values[3] == kInfinity : bits_of(values[3]) == quiet_nan));
  CHECK(values[4] == 0);
}

/// Arrays of few bits, whose means are rounded at random: alike wherever the workers are.
void check_means_of_integers(Communicator& communicator) {
  for (const Payload payload : {Payload::kInt8, Payload::kInt4})
    for (const std::size_t length : {1, 200}) {
      const auto moves_of = [&](int worker) {
        std::vector<float> moves = values_of(worker, length);
        round_to_nearest(moves, payload);
        return moves;
      };
      std::vector<std::vector<float>> moves;
      for (int worker = 0; worker < communicator.num_workers(); ++worker)
        moves.push_back(moves_of(worker));
      for (const std::uint32_t key : {1U, 2U}) {
        const std::vector<float> mine = moves_of(communicator.worker());
        std::vector<float> mean(length);
        const std::vector<Averaged> averaged{
            {.mine = mine, .mean = mean, .payload = payload, .rounding_key = key}};
        communicator.exchange({.averaged = averaged});
        CHECK(mean == mean_of(moves, {.payload = payload, .key = key}));
      }
    }
}

/// Several arrays and numbers at one meeting, two of them as bfloat16.
void check_exchange(Communicator& communicator) {
  const int num_workers = communicator.num_workers();
  const auto rounded = [](std::vector<float> values) {
    for (float& value : values) value = rounded_to_bfloat16(value);
    return values;
  };
  const auto halves_of = [&](int worker) { return rounded(values_of(worker, 777)); };
  const std::vector<float> mine = values_of(communicator.worker(), 1000);
  const std::vector<float> mine_halves = halves_of(communicator.worker());
  std::vector<float> mean(mine.size()), mean_of_halves(mine_halves.size()), in_place = mine_halves;
  const std::vector<Averaged> averaged{
      {.mine = mine, .mean = mean},
      {.mine = mine_halves, .mean = mean_of_halves, .payload = Payload::kBfloat16},
      {.mine = in_place, .mean = in_place, .payload = Payload::kBfloat16}};
  const std::vector<double> numbers{communicator.worker() + 0.5, 7};
  std::vector<double> all(static_cast<std::size_t>(2 * num_workers));
  communicator.exchange({.averaged = averaged, .mine = numbers, .all = all});
  check_mean(communicator, mean);
  for (int worker = 0; worker < num_workers; ++worker) {
    CHECK(all[static_cast<std::size_t>(2 * worker)] == worker + 0.5);
    CHECK(all[static_cast<std::size_t>(2 * worker + 1)] == 7);
  }

  // Every worker knows all the others' numbers and can add them up alone.
  std::vector<std::vector<float>> means;
  for (int worker = 0; worker < num_workers; ++worker) means.push_back(halves_of(worker));
  for (int count = 1; count < num_workers; count *= 2)
    for (int first = 0; first + count < num_workers; first += 2 * count) {
      const int right = std::min(count, num_workers - first - count);
      const auto num_right = static_cast<float>(right), num = static_cast<float>(count + right);
      std::vector<float>& left = means[static_cast<std::size_t>(first)];
      const std::vector<float>& other = means[static_cast<std::size_t>(first + count)];
      for (std::size_t i = 0; i < left.size(); ++i)
        left[i] = rounded_to_bfloat16(left[i] + (other[i] - left[i]) * num_right / num);
    }
  CHECK(mean_of_halves == means[0]);
  CHECK(in_place == means[0]);
}

void check_sums(Communicator& communicator, std::size_t length) {
  const int num_workers = communicator.num_workers();
  const auto value = [](int worker, std::size_t i) { return double{value_of(worker, i)} / 3; };
  std::vector<double> values(length);
  for (std::size_t i = 0; i < length; ++i) values[i] = value(communicator.worker(), i);
  communicator.sum(values, Traffic::kControl);
  for (std::size_t i = 0; i < length; ++i) {
    double expected = value(0, i);
    for (int worker = 1; worker < num_workers; ++worker) expected += value(worker, i);
    CHECK(bits_of(values[i]) == bits_of(expected));
  }
}

void check_non_finite_sums(Communicator& communicator) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const bool last = communicator.worker() == communicator.num_workers() - 1;
  std::vector<double> values = {last ? std::nan("") : 1.0, last ? -kInfinity : 1.0, -0.0};
  communicator.sum(values, Traffic::kControl);
  CHECK(std::isnan(values[0]));
  CHECK(values[1] == -kInfinity);
  CHECK(bits_of(values[2]) == bits_of(-0.0));
}

void check_idempotence(Communicator& communicator) {
  std::vector<float> once = values_of(communicator.worker(), 500);
  communicator.average(once, once, Traffic::kParameters);
  std::vector<float> twice(once.size());
  communicator.average(once, twice, Traffic::kParameters);
  CHECK(once == twice);
}

/// Means in the background, two under way at a time, with meetings in between and arrays that are
/// reused at once.
void check_background(Communicator& communicator) {
  for (const std::size_t length : {1, 7, 5000}) {
    std::vector<float> mine = values_of(communicator.worker(), length), mean(length);
    communicator.start_average({.mine = mine, .mean = mean});
    std::vector<float> halves = mine;
    round_to_nearest(halves, Payload::kBfloat16);
    std::vector<float> mean_of_halves(length), in_exchange(length);
    communicator.start_average(
        {.mine = halves, .mean = mean_of_halves, .payload = Payload::kBfloat16});
    const std::vector<Averaged> averaged{
        {.mine = halves, .mean = in_exchange, .payload = Payload::kBfloat16}};
    communicator.exchange({.averaged = averaged});
    mine.assign(length, -1);
    halves.assign(length, -1);
    communicator.finish_average();
    communicator.finish_average();
    check_mean(communicator, mean);
    CHECK(mean_of_halves == in_exchange);
  }
}

/// Each worker reuses its arrays at once: a collective that returns too early mixes rounds up.
void check_repetition(Communicator& communicator) {
  const double num_workers = communicator.num_workers();
  std::vector<float> values(33);
  for (int round = 0; round < 50; ++round) {
    const double mine = communicator.worker() + num_workers * round;
    values.assign(values.size(), static_cast<float>(mine));
    communicator.average(values, values, Traffic::kParameters);
    const double mean = (num_workers - 1) / 2 + num_workers * round;
    CHECK(values == std::vector<float>(values.size(), static_cast<float>(mean)));

    std::vector<double> sums = {1.0, static_cast<double>(round)};
    communicator.sum(sums, Traffic::kControl);
    CHECK(sums == std::vector<double>{num_workers, num_workers * round});
  }
}

}  // namespace

void check_average(Communicator& communicator, std::size_t length) {
  std::vector<float> mine = values_of(communicator.worker(), length);
  std::vector<float> mean(length);
  communicator.average(mine, mean, Traffic::kParameters);
  check_mean(communicator, mean);
  CHECK(mine == values_of(communicator.worker(), length));
  communicator.average(mine, mine, Traffic::kParameters);
  check_mean(communicator, mine);
}

void check_collectives(Communicator& communicator) {
  check_that_order_shows(communicator.num_workers());
  for (const std::size_t length : {0, 1, 7, 1000, 5000}) check_average(communicator, length);
  for (const std::size_t length : {0, 1, 40}) check_sums(communicator, length);
  check_exchange(communicator);
  check_means_of_integers(communicator);
  check_non_finite_means(communicator);
  check_non_finite_sums(communicator);
  check_idempotence(communicator);
  check_background(communicator);
  check_repetition(communicator);
}

}  // namespace localbatch
