#include "train/synchronizer.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/random.h"
#include "train/local_sgd_fixtures.h"

namespace localbatch {
namespace {

TEST_CASE("what rounding takes away is sent with the next move") {
  run_workers(1, *single_process(), [](Communicator& comm) {
    const std::vector<float> x{1 + 0x1p-12F, -2, 3e-20F}, x_global{0, 0, 0};
    std::vector<float> mean(3), sum_of_sent(3);
    ParameterAverage average({.payload = Payload::kBfloat16}, 3, 1);
    constexpr int kRounds = 64;
    for (int round = 0; round < kRounds; ++round) {
      comm.exchange(average.begin(x, x_global, mean));
      average.finish(x_global, mean);
      for (std::size_t i = 0; i < 3; ++i) sum_of_sent[i] += mean[i];
    }
    // Rounding alone would lose 64 x 2^-12 of the first.
    CHECK(std::abs(sum_of_sent[0] - kRounds * x[0]) <= 0x1p-8F);
    CHECK(sum_of_sent[1] == kRounds * -2);
    CHECK(std::abs(sum_of_sent[2] / (kRounds * x[2]) - 1) < 1e-3);
    CHECK(average.squared_residual() <= 0x1p-16);
  });
}

TEST_CASE("parameters that travel as they are leave no residual") {
  const std::vector<float> x{1, 2}, x_global{5, 5};
  std::vector<float> mean(2);
  ParameterAverage average({}, 2, 1);
  const Averaged averaged = average.begin(x, x_global, mean).averaged.front();
  CHECK(averaged.mine.data() == x.data());
  CHECK(averaged.payload == Payload::kFloat32);
  CHECK(average.squared_residual() == 0);
}

TEST_CASE("what rounding takes away from a move goes with the next one") {
  for (const Payload payload : {Payload::kBfloat16, Payload::kInt8, Payload::kInt4}) {
    constexpr std::size_t kSize = 70;
    ParameterAverage average({.payload = payload}, kSize, 1);
    std::vector<float> x(kSize), mean(kSize);
    const std::vector<float> x_global(kSize);
    for (std::size_t i = 0; i < kSize; ++i) x[i] = std::sin(static_cast<float>(i));
    std::vector<double> sent(kSize);
    std::uint32_t last_key = 0;
    for (int round = 1; round <= 100; ++round) {
      const Averaged averaged = average.begin(x, x_global, mean).averaged.front();
      CHECK((averaged.rounding_key != last_key || round == 1));
      last_key = averaged.rounding_key;
      for (std::size_t i = 0; i < kSize; ++i) sent[i] += double{averaged.mine[i]};
    }
    // All but what is still to be sent, of which squared_residual() is the size.
    double squared = 0;
    for (std::size_t i = 0; i < kSize; ++i) squared += std::pow(100 * double{x[i]} - sent[i], 2);
    CHECK(squared == doctest::Approx(average.squared_residual()).epsilon(1e-3));
    CHECK(squared < kSize * (payload == Payload::kInt4 ? 0.02 : 1e-4));
  }
}

TEST_CASE("what is not among the largest numbers goes with a later move") {
  constexpr std::size_t kSize = 10;
  ParameterAverage average({.share = 0.15}, kSize, 1);
  const std::vector<float> x{8, 1, 2, -3, 0.5F, 0, 0, -16, 4, 0.25F}, x_global(kSize);
  std::vector<float> mean(kSize);
  std::vector<double> sent(kSize);
  for (int round = 1; round <= 100; ++round) {
    const Exchange exchange = average.begin(x, x_global, mean);
    CHECK(exchange.averaged.empty());
    REQUIRE(exchange.mine.size() == 2);  // 1.5 numbers, rounded up
    std::ranges::copy(exchange.mine, exchange.all.begin());
    average.finish(x_global, mean);
    if (round == 1) CHECK(mean == std::vector<float>{8, 0, 0, 0, 0, 0, 0, -16, 0, 0});
    for (std::size_t i = 0; i < kSize; ++i) sent[i] += double{mean[i]};
  }
  double squared = 0;
  for (std::size_t i = 0; i < kSize; ++i) squared += std::pow(100 * double{x[i]} - sent[i], 2);
  CHECK(squared == doctest::Approx(average.squared_residual()).epsilon(1e-6));
  CHECK(sent[9] > 0);  // the smallest, too, has its turn
}

TEST_CASE("the largest numbers of moves lead to the minimum, in a share of the bytes") {
  LocalSgd method = make_method(16000, 4, 0.05);
  const Run full = run(method, kQuiet, 4, 2);
  method.format.share = 0.25;
  const Run largest = run(method, kQuiet, 4, 2);
  REQUIRE(full.x.size() == largest.x.size());
  for (std::size_t i = 0; i < full.x.size(); ++i)
    CHECK(std::abs(largest.x[i] - full.x[i]) < 1e-3F * std::abs(full.x[i]));
  CHECK(*largest.rounds[0].residual > 0);
  CHECK(method.format.bytes_sent(4) == 8);
  CHECK(method.format.bytes_sent(5) == 16);
}

TEST_CASE("moves of half the bytes lead to the same minimum") {
  LocalSgd method = make_method(8000, 4, 0.05);
  const Run full = run(method, kQuiet, 4, 2);
  method.format.payload = Payload::kBfloat16;
  const Run half = run(method, kQuiet, 4, 2);
  REQUIRE(full.x.size() == half.x.size());
  for (std::size_t i = 0; i < full.x.size(); ++i)
    CHECK(std::abs(half.x[i] - full.x[i]) < 1e-4F * std::abs(full.x[i]));
  CHECK_FALSE(full.rounds[0].residual.has_value());
  REQUIRE(half.rounds[0].residual.has_value());
  CHECK(*half.rounds[0].residual > 0);
  CHECK(*half.rounds[0].residual < 1e-4);
}

}  // namespace
}  // namespace localbatch
