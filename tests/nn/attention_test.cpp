#include "nn/attention.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "nn/vector.h"

using namespace localbatch;

namespace {

std::size_t size(int count) { return static_cast<std::size_t>(count); }

std::vector<float> random_values(std::size_t count, unsigned seed) {
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
      for (int s = 0; s <= t; ++s)
        for (int i = 0; i < e; ++i)
          result.output[size((t * shape.heads + h) * e + i)] +=
              std::exp(scores[size(s)] - largest) / sum *
              head(s, shape.heads + shape.key_value_heads + h / group)[i];
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
      const auto qkv = random_values(size(length * shape.row()), 1);
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
      const auto qkv = random_values(size(length * shape.row()), 2);
      const auto diff = random_values(size(length * shape.heads * e), 3);
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
        const auto direction = random_values(size(e), 4);
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
