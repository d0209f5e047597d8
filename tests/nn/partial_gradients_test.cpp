#include "nn/partial_gradients.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/random.h"

using namespace localbatch;

TEST_CASE("slices cut a micro-batch in order and leave nothing out") {
  for (int images = 1; images <= 70; ++images)
    for (const int per_slice : {1, 2, 3, 7, 8, 16, 64, 100}) {
      CAPTURE(images);
      CAPTURE(per_slice);
      const SliceGroups slices(images, per_slice);
      int next = 0;
      for (int index = 0; index < slices.slices(); ++index) {
        const Images slice = slices.slice(index);
        CHECK(slice.first == next);
        CHECK(slice.count >= 1);
        // All but the last one are full.
        CHECK((slice.count == per_slice || slice.first + slice.count == images));
        CHECK(slice.count <= per_slice);
        next = slice.first + slice.count;
      }
      CHECK(next == images);
    }
}

TEST_CASE("groups are stretches of slices, none empty, and the last ones half as long as others") {
  for (int images = 1; images <= 130; ++images)
    for (const int per_slice : {1, 3, 8})
      for (const int max_groups : {1, 2, 5, kMaxGroups}) {
        CAPTURE(images);
        CAPTURE(per_slice);
        CAPTURE(max_groups);
        const SliceGroups groups(images, per_slice, max_groups);
        CHECK(groups.groups() == std::min(groups.slices(), max_groups));
        CHECK(groups.first_slice(0) == 0);
        CHECK(groups.first_slice(groups.groups()) == groups.slices());
        const double average = static_cast<double>(groups.slices()) / groups.groups();
        for (int group = 0; group < groups.groups(); ++group) {
          const int size = groups.first_slice(group + 1) - groups.first_slice(group);
          CHECK(size >= 1);
          const double wanted = average < 2 ? 1 : 1.5 - (group + 0.5) / groups.groups();
          CHECK(std::abs(size - wanted * average) < 1);
        }
      }
  CHECK(SliceGroups(1000, 1).groups() == kMaxGroups);
}

TEST_CASE("groups are added to the gradient one after the other, with any number of threads") {
  // Several pieces of the array, and a last one that does not fill a vector register.
  for (const std::size_t size : {1U, 15U, 16384U, 16385U, 50007U})
    for (const int groups : {1, 2, 3, kMaxGroups}) {
      CAPTURE(size);
      CAPTURE(groups);
      RandomStream random(1, Purpose::kTest);
      std::vector<float> before(size), partial(size * static_cast<std::size_t>(groups));
      for (float& value : before) value = random.normal();
      for (float& value : partial) value = random.normal();
      std::vector<float> expected = before;
      for (std::size_t i = 0; i < size; ++i)
        for (std::size_t group = 0; group < static_cast<std::size_t>(groups); ++group)
          expected[i] += partial[group * size + i];
#ifdef __SANITIZE_THREAD__  // libgomp is not instrumented: its barriers would look like races
      constexpr int kMaxThreads = 1;
#else
      constexpr int kMaxThreads = 3;
#endif
      for (int threads = 1; threads <= kMaxThreads; ++threads) {
        CAPTURE(threads);
        Team team(threads);
        std::vector<float> gradient = before;
        add_groups(team, partial, groups, GradientUse::kAdd, gradient);
        CHECK(gradient == expected);
        // From zero, additions are the same as without the array.
        std::vector<float> added(size), replaced(size, 1e30F);
        add_groups(team, partial, groups, GradientUse::kAdd, added);
        add_groups(team, partial, groups, GradientUse::kReplace, replaced);
        CHECK(replaced == added);
      }
    }
}
