#include "data/sampler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "core/random.h"
#include "data/evaluated_samples.h"

using namespace localbatch;

namespace {

std::vector<Draw> draw(Sampler& sampler, std::size_t count) {
  std::vector<Draw> draws(count);
  sampler.draw(draws);
  return draws;
}

bool same(const std::vector<Draw>& a, const std::vector<Draw>& b) {
  return std::ranges::equal(a, b, [](const Draw& x, const Draw& y) {
    return x.epoch == y.epoch && x.sample == y.sample;
  });
}

std::vector<Draw> first(std::size_t count, std::uint32_t size, int worker, int num_workers,
                        std::uint64_t seed) {
  Sampler sampler(size, worker, num_workers, seed);
  return draw(sampler, count);
}

}  // namespace

TEST_CASE("each index is visited exactly once per epoch under any batch-size history") {
  for (const auto& setting : {std::pair{30U, 3}, {31U, 4}, {7U, 1}, {5U, 8}, {1U, 3}}) {
    const std::uint32_t size = setting.first;
    const int num_workers = setting.second;
    CAPTURE(size);
    CAPTURE(num_workers);
    constexpr std::uint32_t kEpochs = 6;
    std::map<std::uint32_t, std::vector<int>> visits;
    RandomStream random(5, Purpose::kTest, size);
    for (int worker = 0; worker < num_workers; ++worker) {
      Sampler sampler(size, worker, num_workers, 11);
      // Workers pass the end of the last epoch at different times and with different batches.
      for (bool done = false; !done;)
        for (const Draw& drawn : draw(sampler, 1 + random.below(9))) {
          auto& counts = visits[drawn.epoch];
          counts.resize(size);
          REQUIRE(drawn.sample < size);
          ++counts[drawn.sample];
          done = done || drawn.epoch >= kEpochs;
        }
    }
    for (std::uint32_t epoch = 0; epoch < kEpochs; ++epoch)
      CHECK(visits[epoch] == std::vector<int>(size, 1));
  }
}

TEST_CASE("workers are dealt the permutations of all epochs in turn") {
  constexpr std::uint32_t kSize = 10;
  constexpr int kWorkers = 4;
  std::vector<Draw> end_to_end;
  for (std::uint32_t epoch = 0; epoch < 6; ++epoch)
    for (const std::uint32_t sample :
         random_permutation(kSize, RandomStream(3, Purpose::kShuffle, epoch)))
      end_to_end.push_back({epoch, sample});
  for (int worker = 0; worker < kWorkers; ++worker) {
    std::vector<Draw> expected;
    for (std::size_t s = static_cast<std::size_t>(worker); s < end_to_end.size(); s += kWorkers)
      expected.push_back(end_to_end[s]);
    CHECK(same(first(expected.size(), kSize, worker, kWorkers, 3), expected));
  }
}

TEST_CASE("the order does not depend on how many samples are drawn at a time") {
  const std::vector<Draw> whole = first(100, 23, 1, 3, 7);
  Sampler sampler(23, 1, 3, 7);
  std::vector<Draw> pieces;
  for (const std::size_t count : {1, 0, 40, 2, 50, 7}) {
    const std::vector<Draw> piece = draw(sampler, count);
    pieces.insert(pieces.end(), piece.begin(), piece.end());
  }
  CHECK(same(whole, pieces));
  CHECK(sampler.drawn() == 100);
}

TEST_CASE("a restored sampler goes on where the other one was") {
  const std::vector<Draw> whole = first(90, 17, 2, 3, 7);
  for (const std::int64_t drawn : {0, 1, 5, 6, 30, 89}) {
    CAPTURE(drawn);
    Sampler resumed(17, 2, 3, 7);
    draw(resumed, 13);  // what it did before must not matter
    resumed.restore(drawn);
    CHECK(resumed.drawn() == drawn);
    const std::vector<Draw> rest = draw(resumed, static_cast<std::size_t>(90 - drawn));
    CHECK(same(rest, std::vector<Draw>(whole.begin() + drawn, whole.end())));
  }
}

TEST_CASE("epochs and seeds have orders of their own") {
  const std::vector<Draw> two_epochs = first(100, 50, 0, 1, 1);
  const std::vector<Draw> other_seed = first(50, 50, 0, 1, 2);
  int same_as_next_epoch = 0, same_as_other_seed = 0, in_place = 0;
  for (std::uint32_t i = 0; i < 50; ++i) {
    same_as_next_epoch += two_epochs[i].sample == two_epochs[50 + i].sample;
    same_as_other_seed += two_epochs[i].sample == other_seed[i].sample;
    in_place += two_epochs[i].sample == i;
  }
  // Two random permutations agree in one place on average, in ten or more with odds below 1e-6.
  CHECK(same_as_next_epoch < 10);
  CHECK(same_as_other_seed < 10);
  CHECK(in_place < 10);
}

TEST_CASE("positions far beyond 32 bits are reached") {
  Sampler sampler(1000, 63, 64, 1);
  sampler.restore(std::int64_t{1} << 34);
  const std::int64_t position = (std::int64_t{1} << 34) * 64 + 63;
  CHECK(draw(sampler, 1).front().epoch == position / 1000);
}

TEST_CASE("an evaluation looks at all test samples, or at one of each of so many stretches") {
  for (const std::int64_t most : {std::int64_t{0}, std::int64_t{103}, std::int64_t{1000}}) {
    const EvaluatedSamples all(103, most);
    REQUIRE(all.size() == 103);
    for (std::size_t k = 0; k < 103; ++k) CHECK(all[k] == k);
  }
  for (const std::size_t size : {1U, 7U, 25U, 102U}) {
    const EvaluatedSamples some(103, static_cast<std::int64_t>(size));
    REQUIRE(some.size() == size);
    for (std::size_t k = 0; k < size; ++k) {
      CHECK(some[k] >= k * 103 / size);
      CHECK(some[k] < (k + 1) * 103 / size);
    }
  }
}

TEST_CASE("where classes take turns, a part of the test set has them all, equally often") {
  constexpr std::size_t kClasses = 10;
  const EvaluatedSamples some(2000, 200);
  std::vector<int> seen(kClasses);
  for (std::size_t k = 0; k < some.size(); ++k) ++seen[some[k] % kClasses];
  for (const int count : seen) {
    CHECK(count >= 15);
    CHECK(count <= 25);
  }
}
