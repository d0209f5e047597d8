#include "batching/batch_size_limits.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/make_node.h"
#include "core/random.h"

using namespace localbatch;

namespace {

using Keys = std::vector<std::pair<std::string, Node>>;

Wanted grow(double to) { return {.local_batch_size = to, .reason = Reason::kGrow}; }
Wanted pass(double at) { return {.local_batch_size = at, .reason = Reason::kPass}; }

BatchSizeLimits read(const Keys& batch_size, const Keys& controller) {
  const Node first = map(batch_size), second = map(controller);
  Options of_batch_size(first), of_controller(second);
  const BatchSizeLimits limits = read_batch_size_limits(of_batch_size, of_controller);
  of_batch_size.finish();
  of_controller.finish();
  return limits;
}

void check_decision(const BatchSizeDecision& decision, int next, Reason reason) {
  CHECK(decision.next == next);
  CHECK(to_string(decision.reason) == to_string(reason));
}

constexpr Reason kKeeping[] = {Reason::kFixed, Reason::kNotDue, Reason::kTooFewChunks,
                               Reason::kZeroGradient, Reason::kNonFinite};

}  // namespace

TEST_CASE("without limits a wanted size is rounded up once and keeps its reason") {
  check_decision(apply_limits({}, 64, grow(99.2)), 100, Reason::kGrow);
  check_decision(apply_limits({}, 64, grow(100)), 100, Reason::kGrow);
  check_decision(apply_limits({}, 64, pass(64)), 64, Reason::kPass);
}

TEST_CASE("a batch that passes stays when sizes are monotone, and shrinks when they are not") {
  check_decision(apply_limits({.monotone = true}, 64, pass(20.5)), 64, Reason::kPass);
  check_decision(apply_limits({.monotone = false}, 64, pass(20.5)), 21, Reason::kShrink);
  check_decision(apply_limits({.min = 32, .monotone = false}, 64, pass(20.5)), 32, Reason::kFloor);
  check_decision(apply_limits({.monotone = false}, 64, pass(0)), 1, Reason::kFloor);
  check_decision(apply_limits({.monotone = false}, 64, pass(63.5)), 64, Reason::kPass);
}

TEST_CASE("without a test the batch size stays, even one that the limits would not choose") {
  const BatchSizeLimits limits{.min = 10, .max = 100, .multiple_of = 8};
  for (const Reason reason : kKeeping)
    for (const int b : {3, 33, 333})
      check_decision(apply_limits(limits, b, {.local_batch_size = 50, .reason = reason}), b,
                     reason);
}

TEST_CASE("the maximum caps what was wanted, however much that is") {
  for (const double wanted : {129.0, 1e9, 1e300, std::numeric_limits<double>::infinity()})
    check_decision(apply_limits({.max = 128}, 64, grow(wanted)), 128, Reason::kCap);
  check_decision(apply_limits({.max = 128}, 64, grow(128)), 128, Reason::kGrow);
  check_decision(apply_limits({.max = 128, .multiple_of = 48}, 64, grow(500)), 128, Reason::kCap);
}

TEST_CASE("sizes are rounded up to a multiple, and the reason says so only when that changed it") {
  check_decision(apply_limits({.multiple_of = 32}, 64, grow(65)), 96, Reason::kRounding);
  check_decision(apply_limits({.multiple_of = 32}, 64, grow(95.5)), 96, Reason::kGrow);
  check_decision(apply_limits({.max = 100, .multiple_of = 64}, 64, grow(70)), 100,
                 Reason::kRounding);
  check_decision(apply_limits({.min = 100, .multiple_of = 64, .monotone = false}, 256, pass(3)),
                 128, Reason::kRounding);
}

TEST_CASE("the growth limit holds before rounding and leaves room for one sample") {
  check_decision(apply_limits({.growth_limit = 1.5}, 65, grow(1000)), 97, Reason::kGrowthLimit);
  check_decision(apply_limits({.growth_limit = 1.5}, 65, grow(97)), 97, Reason::kGrow);
  check_decision(apply_limits({.multiple_of = 64, .growth_limit = 1.5}, 64, grow(1000)), 128,
                 Reason::kRounding);
  check_decision(apply_limits({.growth_limit = 1.5}, 1, grow(1000)), 2, Reason::kGrowthLimit);
  check_decision(apply_limits({.max = 80, .growth_limit = 1.5}, 65, grow(1000)), 80, Reason::kCap);
}

TEST_CASE("with hysteresis a batch shrinks only when it is much too large") {
  const BatchSizeLimits limits{.monotone = false, .hysteresis = 0.5};
  check_decision(apply_limits(limits, 90, pass(60)), 90, Reason::kHysteresis);
  check_decision(apply_limits(limits, 91, pass(60)), 60, Reason::kShrink);
  check_decision(apply_limits(limits, 90, pass(89.5)), 90, Reason::kPass);
  check_decision(apply_limits(limits, 90, grow(91)), 91, Reason::kGrow);
  check_decision(apply_limits({.min = 100, .monotone = false, .hysteresis = 0.5}, 90, pass(80)),
                 100, Reason::kFloor);
}

TEST_CASE("a test is due every n rounds, but not at the maximum of a size that cannot shrink") {
  const BatchSizeLimits limits{.max = 128, .every_rounds = 3};
  CHECK_FALSE(limits.due(1, 64));
  CHECK_FALSE(limits.due(2, 64));
  CHECK(limits.due(3, 64));
  CHECK(limits.due(6, 127));
  CHECK_FALSE(limits.due(3, 128));
  CHECK_FALSE(limits.due(3, 129));
  const BatchSizeLimits shrinking{.max = 128, .monotone = false};
  CHECK(shrinking.due(1, 128));
}

TEST_CASE("any wanted size under any limits ends inside them, for the reason that is named") {
  RandomStream stream(8, Purpose::kTest);
  const auto draw = [&](int from, int to) {
    return from + static_cast<int>(stream.below(static_cast<std::uint32_t>(to - from + 1)));
  };
  int seen[static_cast<int>(Reason::kGrowthLimit) + 1] = {};
  for (int i = 0; i < 200000; ++i) {
    BatchSizeLimits limits;
    limits.min = draw(1, 50);
    limits.max = draw(limits.min, 600);
    limits.multiple_of = draw(0, 2) == 0 ? draw(1, std::min(limits.max, 70)) : 1;
    if (draw(0, 1) != 0) limits.growth_limit = 1 + 2.0 * (stream.uniform() + 0.01);
    limits.monotone = draw(0, 1) == 0;
    if (!limits.monotone && draw(0, 1) == 0) limits.hysteresis = 2 * stream.uniform();
    const int b = draw(limits.min, limits.max);
    const double wanted = b * std::exp(2.0 * stream.normal());
    const Wanted test = wanted <= b ? pass(wanted) : grow(wanted);
    const BatchSizeDecision decision = apply_limits(limits, b, test);
    const int next = decision.next;
    CAPTURE(to_string(decision.reason));
    CAPTURE(b);
    CAPTURE(wanted);
    CAPTURE(next);

    REQUIRE(next >= limits.min);
    REQUIRE(next <= limits.max);
    REQUIRE((next % limits.multiple_of == 0 || next == limits.max));
    if (limits.monotone) REQUIRE(next >= b);
    const double allowed = std::max(b + 1.0, std::floor(b * limits.growth_limit.value_or(0)));
    if (limits.growth_limit) REQUIRE(next < allowed + limits.multiple_of);
    if (!limits.growth_limit && next < limits.max) REQUIRE(next >= wanted);
    const bool truthful = [&] {
      switch (decision.reason) {
        case Reason::kPass:
          return next == b && test.reason == Reason::kPass;
        case Reason::kGrow:
          return next == std::ceil(wanted) && next > b;
        case Reason::kShrink:
          return next == std::ceil(wanted) && next < b && !limits.monotone;
        case Reason::kHysteresis:
          return next == b && wanted < b && b <= std::ceil(wanted) * (1 + *limits.hysteresis);
        case Reason::kCap:
          return next == limits.max && wanted > limits.max;
        case Reason::kFloor:
          return next == limits.min && wanted < limits.min;
        case Reason::kRounding:
          return limits.multiple_of > 1;
        case Reason::kGrowthLimit:
          return next == allowed && wanted > next;
        default:
          return false;
      }
    }();
    REQUIRE(truthful);
    ++seen[static_cast<int>(decision.reason)];
  }
  for (const Reason reason :
       {Reason::kPass, Reason::kGrow, Reason::kShrink, Reason::kCap, Reason::kFloor,
        Reason::kRounding, Reason::kGrowthLimit, Reason::kHysteresis})
    CHECK(seen[static_cast<int>(reason)] > 100);
}

TEST_CASE("limits are read from the two mappings that hold them, each key to its own field") {
  const BatchSizeLimits limits =
      read({{"min", scalar("8")}, {"max", scalar("512")}, {"multiple_of", scalar("4")}},
           {{"growth_limit", scalar("1.5")},
            {"monotone", scalar("false")},
            {"hysteresis", scalar("0.25")},
            {"every_rounds", scalar("3")}});
  CHECK(limits.min == 8);
  CHECK(limits.max == 512);
  CHECK(limits.multiple_of == 4);
  CHECK(limits.growth_limit == 1.5);
  CHECK_FALSE(limits.monotone);
  CHECK(limits.hysteresis == 0.25);
  CHECK(limits.every_rounds == 3);

  const BatchSizeLimits defaults = read({}, {});
  CHECK(defaults.min == 1);
  CHECK(defaults.max == 65536);
  CHECK(defaults.multiple_of == 1);
  CHECK_FALSE(defaults.growth_limit);
  CHECK_FALSE(defaults.hysteresis);
  CHECK(defaults.monotone);
  CHECK(defaults.every_rounds == 1);
}

TEST_CASE("limits that contradict each other are refused where they stand") {
  CHECK_THROWS_WITH_AS(read({{"min", scalar("9", 2, 6)}, {"max", scalar("8", 3, 6)}}, {}),
                       "test.yaml:2:6: min: found 9, allowed is at most the maximum 8", InputError);
  CHECK_THROWS_WITH_AS(read({{"max", scalar("8")}, {"multiple_of", scalar("9", 4, 14)}}, {}),
                       "test.yaml:4:14: multiple_of: found 9, allowed is at most the maximum 8",
                       InputError);
  CHECK_THROWS_WITH_AS(read({}, {{"growth_limit", scalar("1", 5, 15)}}),
                       "test.yaml:5:15: growth_limit: found 1, allowed is 0 or more than 1",
                       InputError);
  CHECK_THROWS_WITH_AS(
      read({}, {{"hysteresis", scalar("1", 6, 13)}}),
      "test.yaml:6:13: hysteresis: found with monotone: true, under which no batch shrinks",
      InputError);
  CHECK_THROWS_AS(read({{"min", scalar("0")}}, {}), InputError);
  CHECK_THROWS_AS(read({}, {{"every_rounds", scalar("0")}}), InputError);
}
