#pragma once

#include <type_traits>

namespace localbatch::winograd {

// The one-dimensional transforms of F(4, 3): y = A^T [ (G w) . (B^T x) ] is the correlation
// y_i = sum_r w_r x_(i+r) of 6 inputs with 3 weights (Lavin and Gray 2016). The points are
// 0, +-a, +-b and infinity; s = a^2 + b^2, p = a^2 b^2.
//
// clang-format off
//
//         |  p    0     -s     0   1   0  |       | 1/p    0     0     |
//         |  0   -a b^2 -b^2   a   1   0  |       |  u    u a   u a^2  |
//   B^T = |  0    a b^2 -b^2  -a   1   0  |   G = |  u   -u a   u a^2  |   u = 1/(2 a^2 (a^2-b^2))
//         |  0   -b a^2 -a^2   b   1   0  |       |  v    v b   v b^2  |   v = 1/(2 b^2 (b^2-a^2))
//         |  0    b a^2 -a^2  -b   1   0  |       |  v   -v b   v b^2  |
//         |  0    p      0    -s   0   1  |       |  0    0     1      |
//
//         |  1    1      1     1     1     0  |
//   A^T = |  0    a     -a     b    -b     0  |
//         |  0    a^2    a^2   b^2   b^2   0  |
//         |  0    a^3   -a^3   b^3  -b^3   1  |
//
// clang-format on
//
// B and A are exact in f32, so only the product with G rounds a constant.
//
// The rows of a pair of points share their even and odd parts, and nothing else is shared: the
// pieces below let a two-dimensional transform go through its rows pair by pair, with a third of
// the values in registers. V is Vector, or double for tests. Inlining is forced: arguments that go
// through memory would cost more than the arithmetic.

template <class V>
using Scalar = std::conditional_t<std::is_same_v<V, double>, double, float>;

/// A point of the pair +-value and its factor u or v in G.
template <class V>
struct PointPair {
  Scalar<V> value, square, cube, other_square, weight;
};

constexpr double kSquareA = 25.0 / 64;
constexpr double kSquareB = 9.0 / 4;

template <class V>
constexpr PointPair<V> kPairA = {
    5.0 / 8, kSquareA, kSquareA * 5 / 8, kSquareB,
    static_cast<Scalar<V>>(1 / (2 * kSquareA * (kSquareA - kSquareB)))};
template <class V>
constexpr PointPair<V> kPairB = {
    3.0 / 2, kSquareB, kSquareB * 3 / 2, kSquareA,
    static_cast<Scalar<V>>(1 / (2 * kSquareB * (kSquareB - kSquareA)))};

template <class V>
constexpr Scalar<V> kSquareSum = kSquareA + kSquareB;
template <class V>
constexpr Scalar<V> kSquareProduct = kSquareA* kSquareB;
template <class V>
constexpr Scalar<V> kZeroWeight = static_cast<Scalar<V>>(1 / (kSquareA * kSquareB));

template <class V>
struct Two {
  V first, second;
};

// B^T x, a row or a pair of rows.

template <class V>
[[gnu::always_inline]] inline V input_at_zero(V x0, V x2, V x4) {
  return x4 - x2 * kSquareSum<V> + x0 * kSquareProduct<V>;
}

template <class V>
[[gnu::always_inline]] inline Two<V> input_at_pair(const PointPair<V>& point, V x1, V x2, V x3,
                                                   V x4) {
  const V even = x4 - x2 * point.other_square;
  const V odd = x3 - x1 * point.other_square;
  return {even + odd * point.value, even - odd * point.value};
}

template <class V>
[[gnu::always_inline]] inline V input_at_infinity(V x1, V x3, V x5) {
  return x5 - x3 * kSquareSum<V> + x1 * kSquareProduct<V>;
}

template <class V>
[[gnu::always_inline]] inline void input_points(const V (&x)[6], V (&points)[6]) {
  const auto [plus_a, minus_a] = input_at_pair(kPairA<V>, x[1], x[2], x[3], x[4]);
  const auto [plus_b, minus_b] = input_at_pair(kPairB<V>, x[1], x[2], x[3], x[4]);
  points[0] = input_at_zero(x[0], x[2], x[4]);
  points[1] = plus_a;
  points[2] = minus_a;
  points[3] = plus_b;
  points[4] = minus_b;
  points[5] = input_at_infinity(x[1], x[3], x[5]);
}

// A^T m: y_0 and y_2, y_1 and y_3.

template <class V>
[[gnu::always_inline]] inline Two<V> even_outputs(V m0, V m1, V m2, V m3, V m4) {
  const V sum_a = m1 + m2;
  const V sum_b = m3 + m4;
  return {m0 + sum_a + sum_b, sum_a * kPairA<V>.square + sum_b * kPairB<V>.square};
}

template <class V>
[[gnu::always_inline]] inline Two<V> odd_outputs(V m1, V m2, V m3, V m4, V m5) {
  const V difference_a = m1 - m2;
  const V difference_b = m3 - m4;
  return {difference_a * kPairA<V>.value + difference_b * kPairB<V>.value,
          m5 + difference_a * kPairA<V>.cube + difference_b * kPairB<V>.cube};
}

template <class V>
[[gnu::always_inline]] inline void outputs(const V (&m)[6], V (&y)[4]) {
  const auto [y0, y2] = even_outputs(m[0], m[1], m[2], m[3], m[4]);
  const auto [y1, y3] = odd_outputs(m[1], m[2], m[3], m[4], m[5]);
  y[0] = y0;
  y[1] = y1;
  y[2] = y2;
  y[3] = y3;
}

// A dy, a pair of rows; at zero it is dy_0, at infinity dy_3.

template <class V>
[[gnu::always_inline]] inline Two<V> gradient_at_pair(const PointPair<V>& point, V dy0, V dy1,
                                                      V dy2, V dy3) {
  const V even = dy0 + dy2 * point.square;
  const V odd = dy1 + dy3 * point.square;
  return {even + odd * point.value, even - odd * point.value};
}

template <class V>
[[gnu::always_inline]] inline void gradient_points(const V (&dy)[4], V (&points)[6]) {
  const auto [plus_a, minus_a] = gradient_at_pair(kPairA<V>, dy[0], dy[1], dy[2], dy[3]);
  const auto [plus_b, minus_b] = gradient_at_pair(kPairB<V>, dy[0], dy[1], dy[2], dy[3]);
  points[0] = dy[0];
  points[1] = plus_a;
  points[2] = minus_a;
  points[3] = plus_b;
  points[4] = minus_b;
  points[5] = dy[3];
}

// G w

template <class V>
[[gnu::always_inline]] inline Two<V> weights_at_pair(const PointPair<V>& point, V w0, V w1, V w2) {
  const V even = w0 * point.weight + w2 * (point.weight * point.square);
  const V odd = w1;
  return {even + odd * (point.weight * point.value), even - odd * (point.weight * point.value)};
}

template <class V>
[[gnu::always_inline]] inline void weight_points(const V (&w)[3], V (&points)[6]) {
  const auto [plus_a, minus_a] = weights_at_pair(kPairA<V>, w[0], w[1], w[2]);
  const auto [plus_b, minus_b] = weights_at_pair(kPairB<V>, w[0], w[1], w[2]);
  points[0] = w[0] * kZeroWeight<V>;
  points[1] = plus_a;
  points[2] = minus_a;
  points[3] = plus_b;
  points[4] = minus_b;
  points[5] = w[2];
}

// G^T m

template <class V>
[[gnu::always_inline]] inline void weight_gradients(const V (&m)[6], V (&dw)[3]) {
  const V sum_a = (m[1] + m[2]) * kPairA<V>.weight;
  const V sum_b = (m[3] + m[4]) * kPairB<V>.weight;
  const V difference_a = (m[1] - m[2]) * kPairA<V>.weight;
  const V difference_b = (m[3] - m[4]) * kPairB<V>.weight;
  dw[0] = m[0] * kZeroWeight<V> + sum_a + sum_b;
  dw[1] = difference_a * kPairA<V>.value + difference_b * kPairB<V>.value;
  dw[2] = m[5] + sum_a * kPairA<V>.square + sum_b * kPairB<V>.square;
}

}  // namespace localbatch::winograd
