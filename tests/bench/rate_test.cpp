#include "bench/rate.h"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

using namespace localbatch;

TEST_CASE("the median is the middle value, or the mean of the two middle ones") {
  CHECK(median({7}) == 7);
  CHECK(median({9, 1, 5}) == 5);
  CHECK(median({4, 1, 100, 2}) == 3);
}

TEST_CASE("a rate counts the units of all calls over at least three windows") {
  int calls = 0;
  const Rate rate = measure_rate(0.03, 5, [&calls] {
    ++calls;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  });
  CHECK(rate.calls == calls);
  CHECK(rate.windows >= 3);
  CHECK(rate.calls >= rate.windows);
  CHECK(rate.median <= rate.best);
  // A sleep lasts at least what it is asked for, and may last much longer.
  CHECK(rate.best <= 5 / 0.002);
  CHECK(rate.median > 0);
}

TEST_CASE("work that is longer than all the time is done three times") {
  int calls = 0;
  const Rate rate = measure_rate(0.001, 1, [&calls] {
    ++calls;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  });
  CHECK(calls == 3);
  CHECK(rate.windows == 3);
}
