#include "nn/attention.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "core/vector.h"

using namespace localbatch;

#ifdef LOCALBATCH_WITHOUT_AVX512
static_assert(kChannelBlock == 8);
#endif

namespace {

std::size_t size(int count) { return static_cast<std::size_t>(count); }

std::vector<float> random_numbers(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

/// A head of a token, rotated by the definition.
std::vector<double> rotated(const double* head, const AttentionShape& shape, int position) {
  const int half = shape.head_size / 2;
  std::vector<double> turned(head, head + shape.head_size);
  if (shape.rotary_base == 0) return turned;
  for (int j = 0; j < half; ++j) {
    const double angle = position * std::pow(shape.rotary_base, -2.0 * j / shape.head_size);
    turned[size(j)] = head[j] * std::cos(angle) - head[j + half] * std::sin(angle);
    turned[size(j + half)] = head[j + half] * std::cos(angle) + head[j] * std::sin(angle);
  }
  return turned;
}

/// Outputs and logarithms of sums of exponentials, in double and by the definition.
struct Expected {
  std::vector<double> output, log_sum_exp;
};

Expected expected(const AttentionShape& shape, const std::vector<double>& qkv, int length) {
  const int e = shape.head_size, group = shape.heads / shape.key_value_heads;
  Expected result{std::vector<double>(size(length * shape.heads * e)),
                  std::vector<double>(size(length * shape.heads))};
  const auto head = [&](int token, int index) {
    return &qkv[size(token * shape.row() + index * e)];
  };
  for (int h = 0; h < shape.heads; ++h) {
    std::vector<std::vector<double>> keys;
    keys.reserve(size(length));
    for (int t = 0; t < length; ++t)
      keys.push_back(rotated(head(t, shape.heads + h / group), shape, t));
    for (int t = 0; t < length; ++t) {
      const std::vector<double> query = rotated(head(t, h), shape, t);
      std::vector<double> scores(size(t + 1));
      for (int s = 0; s <= t; ++s)
        for (int i = 0; i < e; ++i)
          scores[size(s)] += query[size(i)] * keys[size(s)][size(i)] / std::sqrt(e);
      const double largest = *std::max_element(scores.begin(), scores.end());
      double sum = 0;
      for (const double score : scores) sum += std::exp(score - largest);
      result.log_sum_exp[size(h * length + t)] = largest + std::log(sum);
      for (int s = 0; s <= t; ++s) {
        const double weight = std::exp(scores[size(s)] - largest) / sum;
        const double* const value = head(s, shape.heads + shape.key_value_heads + h / group);
        for (int i = 0; i < e; ++i)
          result.output[size((t * shape.heads + h) * e + i)] += weight * value[i];
      }
    }
  }
  return result;
}

/// Attention of a whole sequence on one thread, with as much scratch memory as it asks for.
template <class T>
struct Computed {
  std::vector<T> output, diff_qkv;
  std::vector<float> log_sum_exp;

  Computed(const AttentionShape& shape, const std::vector<float>& qkv, int length,
           const std::vector<float>& diff_output = {})
      : output(size(length * shape.heads * shape.head_size)),
        diff_qkv(qkv.size()),
        log_sum_exp(size(shape.heads * length)) {
    const Attention attention(shape);
    Team team(1);
    team.allocate(attention.scratch_bytes(), 0);
    team.for_each(shape.key_value_heads, Phase::kForward, [&](int head, Thread& thread) {
      attention.forward(qkv.data(), length, head, output.data(), log_sum_exp.data(), thread);
    });
    if (diff_output.empty()) return;
    team.for_each(shape.key_value_heads, Phase::kBackwardData, [&](int head, Thread& thread) {
      attention.backward(qkv.data(), length, head, log_sum_exp.data(), diff_output.data(),
                         diff_qkv.data(), thread);
    });
  }
};

std::vector<double> to_double(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

double largest_error(const std::vector<float>& values, const std::vector<double>& exact) {
  REQUIRE(values.size() == exact.size());
  double error = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) return INFINITY;
    error = std::max(error, std::abs(values[i] - exact[i]));
  }
  return error;
}

bool same_bits(const float* a, const float* b, std::size_t count) {
  return std::memcmp(a, b, count * sizeof(float)) == 0;
}

const std::vector<AttentionShape> kShapes{
    {.length = 1, .heads = 2, .key_value_heads = 1, .head_size = 8, .rotary_base = 1e4},
    {.length = 17, .heads = 8, .key_value_heads = 4, .head_size = 8, .rotary_base = 1e4},
    {.length = 64, .heads = 6, .key_value_heads = 6, .head_size = 48, .rotary_base = 1e4},
    {.length = 65, .heads = 3, .key_value_heads = 1, .head_size = 32, .rotary_base = 500},
    {.length = 150, .heads = 4, .key_value_heads = 2, .head_size = 64, .rotary_base = 0},
    {.length = 131, .heads = 1, .key_value_heads = 1, .head_size = 128, .rotary_base = 1e4},
    {.length = 79, .heads = 2, .key_value_heads = 2, .head_size = 20, .rotary_base = 1e4},
    {.length = 33, .heads = 2, .key_value_heads = 1, .head_size = 7, .rotary_base = 0},
};

/// Tokens of sequences for a shape: its own and some shorter ones.
std::vector<int> lengths_of(const AttentionShape& shape) {
  std::vector<int> lengths{shape.length};
  for (const int length : {1, 16, 64, 70, 128})
    if (length < shape.length) lengths.push_back(length);
  return lengths;
}

}  // namespace

TEST_CASE("attention is the softmax of rotated queries and keys up to a token's own") {
  for (const AttentionShape& shape : kShapes)
    for (const int length : lengths_of(shape)) {
      CAPTURE(shape.length);
      CAPTURE(shape.head_size);
      CAPTURE(length);
      const auto qkv = random_numbers(size(length * shape.row()), 1);
      const Computed<float> computed(shape, qkv, length);
      const Expected exact = expected(shape, to_double(qkv), length);
      CHECK(largest_error(computed.output, exact.output) < 3e-6);
      CHECK(largest_error(computed.log_sum_exp, exact.log_sum_exp) < 3e-6);
    }
}

TEST_CASE("gradients of every head at single tokens are finite differences") {
  for (const AttentionShape& shape : kShapes)
    for (const int length : lengths_of(shape)) {
      const int e = shape.head_size;
      const auto qkv = random_numbers(size(length * shape.row()), 2);
      const auto diff = random_numbers(size(length * shape.heads * e), 3);
      const Computed<float> computed(shape, qkv, length, diff);
      const auto loss = [&](const std::vector<double>& values) {
        const Expected exact = expected(shape, values, length);
        double sum = 0;
        for (std::size_t i = 0; i < diff.size(); ++i) sum += diff[i] * exact.output[i];
        return sum;
      };
      const int heads = shape.heads + 2 * shape.key_value_heads;
      for (int head = 0; head < heads; ++head) {
        const int token = (head * 37 + 11) % length;  // early, late and in between
        const std::size_t first = size(token * shape.row() + head * e);
        const auto direction = random_numbers(size(e), 4);
        std::vector<double> there = to_double(qkv), back = there;
        double slope = 0;
        constexpr double kStep = 1e-4;
        for (std::size_t i = 0; i < size(e); ++i) {
          there[first + i] += kStep * direction[i];
          back[first + i] -= kStep * direction[i];
          slope += computed.diff_qkv[first + i] * direction[i];
        }
        CAPTURE(shape.length);
        CAPTURE(e);
        CAPTURE(length);
        CAPTURE(head);
        CAPTURE(token);
        const double difference = (loss(there) - loss(back)) / (2 * kStep);
        CHECK(slope == doctest::Approx(difference).epsilon(1e-5).scale(std::sqrt(e)));
      }
    }
}

TEST_CASE("a changed token leaves earlier outputs as they are to the bit, and changes later ones") {
  const AttentionShape shape{
      .length = 130, .heads = 4, .key_value_heads = 2, .head_size = 48, .rotary_base = 1e4};
  const auto qkv = random_numbers(size(shape.length * shape.row()), 5);
  const Computed<float> before(shape, qkv, shape.length);
  const std::size_t row = size(shape.heads * shape.head_size);
  for (const int token : {0, 1, 15, 16, 63, 64, 100, 129}) {
    CAPTURE(token);
    auto changed = qkv;
    for (int i = 0; i < shape.row(); ++i) changed[size(token * shape.row() + i)] *= -3;
    const Computed<float> after(shape, changed, shape.length);
    CHECK(same_bits(before.output.data(), after.output.data(), size(token) * row));
    for (int t = token; t < shape.length; ++t)
      CHECK_FALSE(same_bits(&before.output[size(t) * row], &after.output[size(t) * row], row));
  }
}

TEST_CASE("outputs are those of any shorter sequence, to the bit") {
  for (const AttentionShape& shape : kShapes) {
    const auto qkv = random_numbers(size(shape.length * shape.row()), 6);
    const Computed<float> whole(shape, qkv, shape.length);
    for (const int length : lengths_of(shape)) {
      CAPTURE(length);
      const Computed<float> prefix(shape, qkv, length);
      CHECK(same_bits(whole.output.data(), prefix.output.data(), prefix.output.size()));
    }
  }
}

TEST_CASE("weights of 2048 keys sum to 1") {
  const AttentionShape shape{
      .length = 2048, .heads = 1, .key_value_heads = 1, .head_size = 8, .rotary_base = 1e4};
  auto qkv = random_numbers(size(shape.length * shape.row()), 7);
  for (int t = 0; t < shape.length; ++t)
    for (int i = 0; i < shape.head_size; ++i)
      qkv[size(t * shape.row() + 2 * shape.head_size + i)] = 1;
  const Computed<float> computed(shape, qkv, shape.length);
  // Two sums of 2048 numbers in f32, in different orders.
  CHECK(largest_error(computed.output, std::vector<double>(computed.output.size(), 1)) < 1e-6);
}

TEST_CASE("scores of 10000 and -10000 leave weights and gradients finite") {
  const AttentionShape shape{.length = 100, .heads = 1, .key_value_heads = 1, .head_size = 4};
  auto qkv = random_numbers(size(shape.length * shape.row()), 8);
  for (int t = 0; t < shape.length; ++t)
    for (int i = 0; i < shape.head_size; ++i) {
      const std::size_t query = size(t * shape.row() + i), key = query + size(shape.head_size);
      qkv[query] = i == 0 ? 200 : 0;  // times 100, over the root of 4
      qkv[key] = i == 0 ? (t % 3 == 1 ? 100.0F : -100.0F) : 0;
    }
  const auto diff = random_numbers(size(shape.length * shape.heads * shape.head_size), 9);
  const Computed<float> computed(shape, qkv, shape.length, diff);
  const Expected exact = expected(shape, to_double(qkv), shape.length);
  CHECK(largest_error(computed.output, exact.output) < 3e-6);
  // Keys and queries get sums of differences that nearly cancel; values get the weights themselves,
  // which the rounding of 10000 + log n makes wrong by at most half of 2^-10.
  for (int t = 0; t < shape.length; ++t)
    for (int i = 0; i < shape.row(); ++i) {
      const float value = computed.diff_qkv[size(t * shape.row() + i)];
      REQUIRE(std::isfinite(value));
      if (i < 2 * shape.head_size) continue;
      double expected_value = 0;
      for (int s = t; s < shape.length; ++s) {
        const int winners = (s + 2) / 3;
        const double weight = s == 0 ? 1 : (t % 3 == 1 ? 1.0 / winners : 0);
        expected_value += weight * diff[size(s * shape.head_size + i % shape.head_size)];
      }
      CHECK(value == doctest::Approx(expected_value).epsilon(1e-3).scale(1));
    }
}

TEST_CASE("bf16 outputs and gradients are the f32 ones, rounded") {
  const auto rounded = [](const std::vector<float>& values, const std::vector<Bfloat16>& halves) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      Bfloat16 half[kChannelBlock];
      store(half, broadcast(values[i]));
      if (half[0].bits != halves[i].bits) return false;
    }
    return values.size() == halves.size();
  };
  for (const AttentionShape& shape : kShapes) {
    const auto qkv = random_numbers(size(shape.length * shape.row()), 10);
    const auto diff = random_numbers(size(shape.length * shape.heads * shape.head_size), 11);
    const Computed<float> whole(shape, qkv, shape.length, diff);
    const Computed<Bfloat16> half(shape, qkv, shape.length, diff);
    CHECK(rounded(whole.output, half.output));
    CHECK(rounded(whole.diff_qkv, half.diff_qkv));
    CHECK(whole.log_sum_exp == half.log_sum_exp);
  }
}

TEST_CASE("a call writes the columns of its heads and no others, wherever rows begin") {
  const AttentionShape shape{
      .length = 70, .heads = 6, .key_value_heads = 3, .head_size = 20, .rotary_base = 1e4};
  const auto qkv = random_numbers(size(shape.length * shape.row()) + 1, 12);
  const auto diff = random_numbers(size(shape.length * shape.heads * shape.head_size) + 1, 13);
  const Computed<float> aligned(shape, {qkv.begin() + 1, qkv.end()}, shape.length,
                                {diff.begin() + 1, diff.end()});
  const Attention attention(shape);
  Team team(1);
  team.allocate(attention.scratch_bytes(), 0);
  constexpr float kUntouched = 1e30F;
  for (int group = 0; group < shape.key_value_heads; ++group) {
    std::vector<float> output(diff.size(), kUntouched), diff_qkv(qkv.size(), kUntouched);
    std::vector<float> log_sum_exp(size(shape.heads * shape.length), kUntouched);
    team.for_each(1, Phase::kForward, [&](int, Thread& thread) {
      attention.forward(qkv.data() + 1, shape.length, group, output.data() + 1, log_sum_exp.data(),
                        thread);
      attention.backward(qkv.data() + 1, shape.length, group, log_sum_exp.data(), diff.data() + 1,
                         diff_qkv.data() + 1, thread);
    });
    const auto check = [&](const std::vector<float>& values, const std::vector<float>& whole,
                           int row, const auto& is_own) {
      CHECK(values[0] == kUntouched);
      for (std::size_t i = 0; i < whole.size(); ++i) {
        const int head = static_cast<int>(i) % row / shape.head_size;
        CHECK(values[i + 1] == (is_own(head) ? whole[i] : kUntouched));
      }
    };
    check(output, aligned.output, shape.heads * shape.head_size,
          [&](int head) { return head / 2 == group; });
    check(diff_qkv, aligned.diff_qkv, shape.row(),
          [&](int head) { return head < 6 ? head / 2 == group : (head - 6) % 3 == group; });
    for (int head = 0; head < shape.heads; ++head)
      CHECK((log_sum_exp[size(head * shape.length)] == kUntouched) == (head / 2 != group));
  }
}
