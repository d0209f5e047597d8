#include "comm/payload.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace localbatch {
namespace {

constexpr Payload kPayloads[]{Payload::kFloat32, Payload::kBfloat16, Payload::kInt8,
                              Payload::kInt4};

/// Sizes that differ by many orders from block to block.
std::vector<float> wavy(std::size_t size) {
  std::vector<float> values;
  for (std::size_t i = 0; i < size; ++i)
    values.push_back(std::sin(static_cast<float>(7 * i)) *
                     std::exp2(static_cast<float>(i / 32) * 9 - 40));
  return values;
}

std::vector<float> sent(const std::vector<float>& values, Payload payload) {
  std::vector<std::byte> bytes(encoded_size(payload, values.size()) + 1, std::byte{0x5A});
  encode(values, payload, bytes.data());
  CHECK(bytes.back() == std::byte{0x5A});
  std::vector<float> received(values.size());
  decode(bytes.data(), payload, received);
  return received;
}

std::vector<float> rounded(std::vector<float> values, Payload payload) {
  round_to_nearest(values, payload);
  return values;
}

TEST_CASE("what was rounded is sent to the bit, and so is what comes of it") {
  for (const Payload payload : kPayloads)
    for (const std::size_t size : {0, 1, 2, 31, 32, 33, 200}) {
      CAPTURE(static_cast<int>(payload));
      CAPTURE(size);
      const std::vector<float> values = rounded(wavy(size), payload);
      CHECK(sent(values, payload) == values);
      CHECK(rounded(values, payload) == values);
      CHECK(sent(wavy(size), payload) == values);
    }
}

TEST_CASE("an integer is within half a step of its number, and a step is as small as it may be") {
  for (const auto& [payload, largest] :
       {std::pair(Payload::kInt8, 127.0F), std::pair(Payload::kInt4, 7.0F)}) {
    const std::vector<float> values = wavy(200), near = rounded(values, payload);
    for (std::size_t begin = 0; begin < values.size(); begin += 32) {
      const std::size_t end = std::min(begin + 32, values.size());
      float most = 0;
      for (std::size_t i = begin; i < end; ++i) most = std::max(most, std::abs(values[i]));
      const float step = std::exp2(std::ceil(std::log2(most / largest)));
      for (std::size_t i = begin; i < end; ++i) {
        CHECK(std::abs(near[i] - values[i]) <= step / 2);
        CHECK(near[i] == std::nearbyint(values[i] / step) * step);
      }
    }
  }
}

TEST_CASE("the largest integers at a power of two, by hand") {
  // 127 needs steps of 1, a bit more steps of 2.
  CHECK(rounded({127, 1}, Payload::kInt8) == std::vector<float>{127, 1});
  CHECK(rounded({127.5F, 1, 3}, Payload::kInt8) == std::vector<float>{128, 0, 4});
  CHECK(rounded({-7, 0.5F, 1.5F}, Payload::kInt4) == std::vector<float>{-7, 0, 2});
  CHECK(rounded({7.25F, 1, 3}, Payload::kInt4) == std::vector<float>{8, 0, 4});
  CHECK(rounded({std::numeric_limits<float>::max(), 1}, Payload::kInt8)[1] == 0);
  CHECK(rounded({1e-45F, -1e-40F, 0}, Payload::kInt8) == std::vector<float>{0, 0, 0});
}

TEST_CASE("a number that is not finite makes its block NaN, and no other") {
  for (const Payload payload : {Payload::kInt8, Payload::kInt4})
    for (const float bad :
         {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::quiet_NaN()}) {
      std::vector<float> values(64, 1.0F);
      values[40] = bad;
      for (const std::vector<float>& came : {sent(values, payload), rounded(values, payload)})
        for (std::size_t i = 0; i < 64; ++i)
          CHECK((i < 32 ? came[i] == 1.0F : std::isnan(came[i])));
    }
}

TEST_CASE("bytes of a message") {
  CHECK(encoded_size(Payload::kFloat32, 100) == 400);
  CHECK(encoded_size(Payload::kBfloat16, 100) == 200);
  CHECK(encoded_size(Payload::kInt8, 100) == 104);
  CHECK(encoded_size(Payload::kInt4, 100) == 54);
  CHECK(encoded_size(Payload::kInt4, 33) == 2 + 16 + 1);
}

TEST_CASE("a mean goes to a neighbour that can be sent, and on average to itself") {
  for (const auto& [payload, largest] :
       {std::pair(Payload::kInt8, 127.0F), std::pair(Payload::kInt4, 7.0F)}) {
    constexpr int kTrials = 4000;
    // Steps are 1; the first number of each block needs them, the others are far below.
    std::vector<float> values(64, 0.0F);
    for (std::size_t i = 0; i < 64; ++i) values[i] = static_cast<float>(i % 32) / 40 - 0.3F;
    values[0] = values[32] = largest;
    std::vector<double> sum(values.size()), products(values.size());
    for (std::uint32_t key = 1; key <= kTrials; ++key) {
      std::vector<float> mean = values;
      round_mean(mean, payload, key, 320);
      CHECK(sent(mean, payload) == mean);
      for (std::size_t i = 0; i < mean.size(); ++i) {
        CHECK(std::abs(mean[i] - values[i]) < 1);
        sum[i] += double{mean[i]} - double{values[i]};
        // Of this number and the next one.
        products[i] += (double{mean[i]} - double{values[i]}) *
                       (double{mean[(i + 1) % 64]} - double{values[(i + 1) % 64]});
      }
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      CHECK(std::abs(sum[i] / kTrials) < 4.5 * 0.5 / std::sqrt(kTrials));
      CHECK(std::abs(products[i] / kTrials) < 4.5 * 0.25 / std::sqrt(kTrials));
    }
    CHECK(sum[0] == 0);
  }
}

TEST_CASE("a part of a mean is rounded as the whole is") {
  for (const Payload payload : {Payload::kBfloat16, Payload::kInt8, Payload::kInt4}) {
    std::vector<float> whole = wavy(300), parts = whole;
    round_mean(whole, payload, 7, 0);
    round_mean({parts.data(), 96}, payload, 7, 0);
    round_mean({parts.data() + 96, 204}, payload, 7, 96);
    CHECK(parts == whole);
    std::vector<float> again = wavy(300);
    round_mean(again, payload, 8, 0);
    CHECK((again == whole) == (payload == Payload::kBfloat16));
  }
}

}  // namespace
}  // namespace localbatch
