#include "batching/schedules.h"

#include <doctest/doctest.h>

#include "batching/batch_size_controller.h"
#include "batching/batch_size_limits.h"
#include "core/make_node.h"

using namespace localbatch;

// Controllers that follow a schedule and look at no gradient.

namespace {

std::shared_ptr<const BatchSizeController> make(
    const std::vector<std::pair<std::string, Node>>& keys) {
  const Node file = map(keys);
  Options options(file);
  auto made = make_part(batch_size_controller_table(), options, "", "");
  options.finish();
  return made;
}

/// The wanted size after so many samples of a run that began with b = 8.
double size_after(const std::shared_ptr<const BatchSizeController>& controller,
                  std::int64_t samples) {
  CHECK_FALSE(controller->needs().any());
  const Wanted wanted = controller->wanted(
      {.local_batch_size = 999, .initial_local_batch_size = 8, .samples = samples}, {});
  CHECK(wanted.reason == Reason::kSchedule);
  CHECK_FALSE(wanted.test);
  return wanted.local_batch_size;
}

}  // namespace

TEST_CASE("a linear ramp goes from the initial to the final batch size and stays there") {
  const auto up = make_linear_ramp({.final_size = 24, .ramp_samples = 1000});
  CHECK(size_after(up, 0) == 8);
  CHECK(size_after(up, 250) == 12);
  CHECK(size_after(up, 999) == doctest::Approx(23.984));
  CHECK(size_after(up, 1000) == 24);
  CHECK(size_after(up, 123456) == 24);
  const auto down = make_linear_ramp({.final_size = 4, .ramp_samples = 1000});
  CHECK(size_after(down, 500) == 6);
}

TEST_CASE("a geometric schedule multiplies once per stretch of samples") {
  const auto doubling = make_geometric({.factor = 2, .every_samples = 100});
  CHECK(size_after(doubling, 99) == 8);
  CHECK(size_after(doubling, 100) == 16);
  CHECK(size_after(doubling, 299) == 32);
  CHECK(size_after(doubling, 300) == 64);
  const auto slow = make_geometric({.factor = 1.5, .every_samples = 100});
  CHECK(size_after(slow, 300) == 27);
  // Factors are applied to the initial size, so rounding does not accumulate; far out there is no
  // number for the size any more, and the maximum ends it.
  const Wanted huge = slow->wanted({.initial_local_batch_size = 8, .samples = 1'000'000'000}, {});
  const BatchSizeDecision decision = apply_limits({.max = 512}, 8, huge);
  CHECK(decision.next == 512);
  CHECK(decision.reason == Reason::kCap);
}

TEST_CASE("stages of batch sizes begin at their milestones") {
  const auto controller = make_stagewise({.milestones = {100, 500}, .sizes = {32, 16}});
  CHECK(size_after(controller, 0) == 8);
  CHECK(size_after(controller, 99) == 8);
  CHECK(size_after(controller, 100) == 32);
  CHECK(size_after(controller, 499) == 32);
  CHECK(size_after(controller, 500) == 16);
}

TEST_CASE("Seesaw grows as the learning rate's schedule falls") {
  const auto seesaw = make_seesaw();
  CHECK_FALSE(seesaw->needs().any());
  for (const double share : {1.0, 0.5, 0.01})
    CHECK(seesaw->wanted({.initial_local_batch_size = 8, .share_of_peak = share}, {})
              .local_batch_size == doctest::Approx(8 / share));
  // At the end of a schedule that falls to 0 the maximum of the batch is all there is.
  const Wanted end = seesaw->wanted({.initial_local_batch_size = 8, .share_of_peak = 0}, {});
  CHECK(apply_limits({.max = 512}, 8, end).next == 512);
}

TEST_CASE("a measured warm-up doubles where the line through measured sizes allows it") {
  const auto warm_up = make_measured_warm_up({.samples = {100, 300, 400}, .sizes = {10, 30, 90}});
  CHECK(size_after(warm_up, 0) == 8);
  CHECK(size_after(warm_up, 159) == 8);
  CHECK(size_after(warm_up, 160) == 16);
  CHECK(size_after(warm_up, 303) == 16);
  CHECK(size_after(warm_up, 304) == 32);
  CHECK(size_after(warm_up, 399) == 64);
  CHECK(size_after(warm_up, 123456) == 64);
  const auto refused = [](const std::vector<std::string>& sizes) {
    std::vector<Node> items;
    for (const std::string& size : sizes) items.push_back(scalar(size));
    CHECK_THROWS_AS(make({{"name", scalar("measured_warm_up")},
                          {"samples", list({scalar("1"), scalar("2")})},
                          {"sizes", list(items)}}),
                    InputError);
  };
  refused({"4"});
  refused({"4", "8", "16"});
}

TEST_CASE("stages need a size for each milestone, and milestones that increase") {
  const auto stages = [](const std::vector<Node>& milestones, const std::vector<Node>& sizes) {
    return make(
        {{"name", scalar("stagewise")}, {"milestones", list(milestones)}, {"sizes", list(sizes)}});
  };
  CHECK_THROWS_WITH_AS(
      stages({scalar("100")}, {}),
      "test.yaml:1:1: sizes: found 0 numbers, expected one for each of 1 milestones", InputError);
  CHECK_THROWS_AS(stages({scalar("7"), scalar("7")}, {scalar("1"), scalar("2")}), InputError);
}

TEST_CASE("each key of a schedule sets its own number") {
  const auto ramp =
      make({{"name", scalar("linear")}, {"final", scalar("24")}, {"ramp_samples", scalar("1000")}});
  CHECK(size_after(ramp, 250) == 12);
  const auto geometric = make(
      {{"name", scalar("geometric")}, {"factor", scalar("1.5")}, {"every_samples", scalar("100")}});
  CHECK(size_after(geometric, 300) == 27);
  const auto stages = make({{"name", scalar("stagewise")},
                            {"milestones", list({scalar("100"), scalar("500")})},
                            {"sizes", list({scalar("32"), scalar("16")})}});
  CHECK(size_after(stages, 100) == 32);
  CHECK(size_after(stages, 500) == 16);
}

TEST_CASE("a monotone schedule never shrinks, a free one does, and limits apply to both") {
  const auto controller = make_linear_ramp({.final_size = 4, .ramp_samples = 1000});
  const Wanted wanted = controller->wanted({.initial_local_batch_size = 8, .samples = 500}, {});
  CHECK(apply_limits({.monotone = true}, 8, wanted).next == 8);
  const BatchSizeDecision free = apply_limits({.monotone = false}, 8, wanted);
  CHECK(free.next == 6);
  CHECK(free.reason == Reason::kShrink);
  CHECK(apply_limits({.min = 7, .monotone = false}, 8, wanted).next == 7);
  CHECK(apply_limits({.multiple_of = 4, .monotone = false}, 16, wanted).next == 8);
}
