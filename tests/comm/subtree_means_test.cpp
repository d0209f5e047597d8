#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "comm/mean_of_arrays.h"
#include "comm/mean_tree.h"

namespace localbatch {
namespace {

TEST_CASE("workers are covered by the fewest subtrees, whose left parts are powers of two") {
  using Subtrees = std::vector<Subtree>;
  CHECK(covering_subtrees({true, true, true, true}) == Subtrees{{0, 4}});
  CHECK(covering_subtrees({false, true, true, true}) == Subtrees{{1, 1}, {2, 2}});
  CHECK(covering_subtrees({true, true, true, false, false}) == Subtrees{{0, 2}, {2, 1}});
  CHECK(covering_subtrees({false, false, false, false, true, true, true}) == Subtrees{{4, 3}});
  CHECK(covering_subtrees({true, false, true, false}) == Subtrees{{0, 1}, {2, 1}});
  CHECK(covering_subtrees({false, false}).empty());
}

TEST_CASE("the mean of equal arrays is that array, however many workers there are") {
  for (const int num_workers : {1, 2, 3, 5, 6, 7, 12, 100}) {
    const std::vector<float> array{0.1F, 1e-40F, -3e38F, 7, 0};
    const std::vector<std::vector<float>> arrays(static_cast<std::size_t>(num_workers), array);
    CHECK(mean_of(arrays, {}) == array);
  }
}

TEST_CASE("a mean is as near to the true one as a few roundings allow") {
  for (const int num_workers : {2, 3, 7, 16, 33}) {
    std::vector<std::vector<float>> arrays;
    for (int worker = 0; worker < num_workers; ++worker) {
      arrays.emplace_back();
      for (int i = 0; i < 3000; ++i)
        arrays.back().push_back(std::sin(static_cast<float>(worker * 3000 + i)));
    }
    const std::vector<float> mean = mean_of(arrays, {});
    const std::vector<float> rough = mean_of(arrays, {.payload = Payload::kBfloat16});
    double worst = 0, worst_rough = 0;
    for (std::size_t i = 0; i < mean.size(); ++i) {
      double sum = 0;
      for (const auto& array : arrays) sum += double{array[i]};
      worst = std::max(worst, std::abs(double{mean[i]} - sum / num_workers));
      worst_rough = std::max(worst_rough, std::abs(double{rough[i]} - sum / num_workers));
    }
    CHECK(worst < 3e-7);
    CHECK(worst_rough < 3e-7 * 65536);
    CHECK(worst_rough > 1e-5);
  }
}

TEST_CASE("means of subtrees make the same bits as single workers") {
  std::vector<std::vector<float>> arrays;
  constexpr std::size_t kLength = 100;
  for (int worker = 0; worker < 7; ++worker) {
    arrays.emplace_back();
    for (std::size_t i = 0; i < kLength; ++i)
      arrays.back().push_back(std::sin(static_cast<float>(worker * 100 + static_cast<int>(i))));
  }
  for (const Payload payload :
       {Payload::kFloat32, Payload::kBfloat16, Payload::kInt8, Payload::kInt4}) {
    const MeanRounding rounding{.payload = payload, .key = 5};
    const std::vector<Subtree> parts{{0, 2}, {2, 2}, {4, 3}};
    std::vector<std::vector<float>> means(parts.size(), std::vector<float>(kLength));
    std::vector<const float*> rows, mean_rows;
    std::vector<float*> outs;
    for (const auto& array : arrays) rows.push_back(array.data());
    for (auto& mean : means) {
      outs.push_back(mean.data());
      mean_rows.push_back(mean.data());
    }
    SubtreeMeans(single_workers(7), parts).compute(rows, {0, kLength}, rounding, outs);
    const Subtree all{0, 7};
    std::vector<float> whole(kLength);
    float* const out = whole.data();
    SubtreeMeans(parts, {&all, 1}).compute(mean_rows, {0, kLength}, rounding, {&out, 1});
    CHECK(whole == mean_of(arrays, rounding));
  }
}

TEST_CASE("slices of an array with blocks begin where blocks do and are the whole array") {
  for (const std::size_t length : {0, 5, 32, 100, 1000})
    for (const std::size_t parts : {1, 2, 3, 7}) {
      std::size_t end = 0;
      for (std::size_t index = 0; index < parts; ++index) {
        const Slice slice = slice_of(length, index, parts, 32);
        CHECK(slice.begin == end);
        CHECK((slice.begin % 32 == 0 || slice.begin == length));
        end = slice.end;
      }
      CHECK(end == length);
    }
}

TEST_CASE("numbers are rounded to the nearest bfloat16, ties to even") {
  CHECK(rounded_to_bfloat16(1.0F) == 1.0F);
  CHECK(rounded_to_bfloat16(1.0F + 0x1p-9F) == 1.0F);
  CHECK(rounded_to_bfloat16(1.0F + 0x1p-7F + 0x1p-8F) == 1.0F + 0x1p-6F);
  CHECK(rounded_to_bfloat16(-1.0F - 0x1p-8F - 0x1p-16F) == -1.0F - 0x1p-7F);
  CHECK(std::isinf(rounded_to_bfloat16(std::numeric_limits<float>::max())));
  CHECK(std::isnan(rounded_to_bfloat16(std::bit_cast<float>(0x7F800001U))));
}

}  // namespace
}  // namespace localbatch
