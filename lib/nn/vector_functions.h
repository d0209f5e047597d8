#pragma once

#include <utility>

#include "core/vector.h"

/// Inlined into every file that uses it, so that the compiler's flags of that file hold: an
/// ordinary inline function exists once in a program, in the version of whichever file the linker
/// met first.
#define LOCALBATCH_VECTOR_FUNCTION __attribute__((always_inline)) inline

namespace localbatch {

namespace detail {

/// The polynomial whose coefficients are given from that of x^0 on.
template <class... Coefficients>
LOCALBATCH_VECTOR_FUNCTION Vector polynomial(Vector x, float first, Coefficients... others) {
  if constexpr (sizeof...(others) == 0) {
    return broadcast(first);
  } else {
    return first + x * polynomial(x, others...);
  }
}

template <int kHalf, int... kLane>
LOCALBATCH_VECTOR_FUNCTION Vector swap_halves(Vector value, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(value, value, (kLane ^ kHalf)...);
}

/// Every lane: the lanes of `value` combined in pairs whose distance is halved from step to step.
template <int kHalf = kChannelBlock / 2, class Combine>
LOCALBATCH_VECTOR_FUNCTION Vector fold(Vector value, Combine combine) {
  const auto lanes = std::make_integer_sequence<int, kChannelBlock>();
  const Vector folded = combine(value, swap_halves<kHalf>(value, lanes));
  if constexpr (kHalf == 1) {
    return folded;
  } else {
    return fold<kHalf / 2>(folded, combine);
  }
}

}  // namespace detail

LOCALBATCH_VECTOR_FUNCTION Vector larger(Vector a, Vector b) { return a < b ? b : a; }

/// Of all lanes, in an order that is always the same.
LOCALBATCH_VECTOR_FUNCTION float sum_of_lanes(Vector value) {
  return detail::fold(value, [](Vector a, Vector b) { return a + b; })[0];
}
LOCALBATCH_VECTOR_FUNCTION float largest_lane(Vector value) {
  return detail::fold(value, [](Vector a, Vector b) { return larger(a, b); })[0];
}

/// e^x with a relative error below 2e-7. Zero below ln 2^-126, where normal f32 end, infinity
/// above ln 2^128; NaN stays NaN.
LOCALBATCH_VECTOR_FUNCTION Vector exponential(Vector x) {
  // x = n ln 2 + r with |r| <= ln(2)/2. Adding kRound leaves n in the last bits of the sum; the
  // upper part of ln 2 has so few bits that its multiples are exact.
  constexpr float kRound = 0x1.8p23F, kUpper = 0x1.63p-1F, kLower = -0x1.bd0106p-13F;
  const Vector shifted = x * 0x1.715476p0F + kRound;
  const Vector n = shifted - kRound;
  const Vector r = (x - n * kUpper) - n * kLower;
  // The best polynomial of its degree with 1 + r as its beginning: 3e-9 from e^r, relatively.
  const Vector power = detail::polynomial(r, 1.0F, 1.0F, 4.999999404e-1F, 1.666652113e-1F,
                                          4.166838899e-2F, 8.368745446e-3F, 1.381454058e-3F);
  detail::VectorBits bits, exponent;
  std::memcpy(&exponent, &shifted, sizeof exponent);
  std::memcpy(&bits, &power, sizeof bits);
  bits += exponent << 23;  // kRound has zeros there
  Vector result;
  std::memcpy(&result, &bits, sizeof result);
  result = x < -0x1.5d589ep6F ? Vector{} : result;
  return x <= 0x1.62e42ep6F ? result : x + __builtin_inff();
}

/// 1/(1 + e^-x).
LOCALBATCH_VECTOR_FUNCTION Vector sigmoid(Vector x) { return 1.0F / (1.0F + exponential(-x)); }

/// The standard normal distribution at x.
struct NormalDistribution {
  Vector density;     ///< e^(-x^2/2)/sqrt(2 pi)
  Vector cumulative;  ///< (1 + erf(x/sqrt 2))/2
};

/// With an error below 2e-7 in both.
LOCALBATCH_VECTOR_FUNCTION NormalDistribution normal_distribution(Vector x) {
  const Vector distance = x < Vector{} ? -x : x;
  const Vector power = exponential(-0.5F * x * x);
  // The tail beyond |x| over e^(-x^2/2), as the best polynomial of its degree in t: 1.2e-7 from it,
  // relatively. The form is that of Hastings (Abramowitz and Stegun 7.1.26).
  const Vector t = 1.0F / (1.0F + 0.3F * distance);
  const Vector tail =
      power * detail::polynomial(t, 0.0F, 1.196251661e-1F, 1.208168790e-1F, 9.952313453e-2F,
                                 1.298431605e-1F, -5.609536543e-2F, 2.089639902e-1F,
                                 -1.587132365e-1F, 3.603620455e-2F);
  return {0.3989422804F * power, x < Vector{} ? tail : 1.0F - tail};
}

}  // namespace localbatch

#undef LOCALBATCH_VECTOR_FUNCTION
