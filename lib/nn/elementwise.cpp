#include "nn/elementwise.h"

#include <algorithm>
#include <type_traits>

#include "core/vector.h"

namespace localbatch {

namespace {

constexpr std::size_t kBlock = kChannelBlock;

typedef double DoubleVector __attribute__((vector_size(kChannelBlock * sizeof(double))));

/// ReLU's mask, and where it comes from.
struct NoMask {
  template <class T>
  Vector operator()(std::size_t, Vector, const T* dy) const {
    return load(dy);
  }
};
template <class T>
struct MaskByOutput {
  const T* y;
  T* dy_out;
  Vector operator()(std::size_t at, Vector, const T* dy) const {
    const Vector masked = load(y + at) > Vector{} ? load(dy) : Vector{};
    store(dy_out + at, masked);
    return masked;
  }
};
template <class T>
struct MaskByInput {
  Vector factor, offset;
  T* dy_out;
  Vector operator()(std::size_t at, Vector x, const T* dy) const {
    const Vector masked = x * factor + offset > Vector{} ? load(dy) : Vector{};
    store(dy_out + at, masked);
    return masked;
  }
};

/// Two sums over pixels of what `terms(offset, a, b)` leaves in a and b. Four pairs of registers
/// take turns, so that an addition need not wait for the one before.
template <class Terms>
void sum_two(std::size_t pixels, const Terms& terms, DoubleVector& total_a, DoubleVector& total_b) {
  constexpr std::size_t kWays = 4, kRun = 16 * kWays;
  for (std::size_t first = 0; first < pixels; first += kRun) {
    const std::size_t last = std::min(pixels, first + kRun);
    Vector a[kWays] = {}, b[kWays] = {};
    std::size_t pixel = first;
    for (; pixel + kWays <= last; pixel += kWays)
      for (std::size_t way = 0; way < kWays; ++way) terms((pixel + way) * kBlock, a[way], b[way]);
    for (; pixel < last; ++pixel) terms(pixel * kBlock, a[0], b[0]);
    total_a += __builtin_convertvector((a[0] + a[1]) + (a[2] + a[3]), DoubleVector);
    total_b += __builtin_convertvector((b[0] + b[1]) + (b[2] + b[3]), DoubleVector);
  }
}

template <class Terms>
void sum_two(std::size_t pixels, const Terms& terms, double* sum_a, double* sum_b) {
  DoubleVector total_a{}, total_b{};
  sum_two(pixels, terms, total_a, total_b);
  std::memcpy(sum_a, &total_a, sizeof total_a);
  std::memcpy(sum_b, &total_b, sizeof total_b);
}

template <class T, class Mask>
void sum_diffs(const T* x, const T* dy, std::size_t pixels, const float* mean, const Mask& mask,
               double* sum, double* sum_centered) {
  const Vector m = load(mean);
  sum_two(
      pixels,
      [&](std::size_t at, Vector& a, Vector& b) {
        const Vector value = load(x + at);
        const Vector diff = mask(at, value, dy + at);
        a += diff;
        b += diff * (value - m);
      },
      sum, sum_centered);
}

template <class T, class Body>
void for_each_pixel(std::size_t pixels, T* to, const Body& body) {
  for (std::size_t at = 0; at < pixels * kBlock; at += kBlock) store(to + at, body(at));
}

/// to[i] = function(from[i], ...), a vector at a time; the end of the arrays need not fill one.
template <class To, class Function, class... From>
void map_values(std::size_t count, To* to, const Function& function, const From*... from) {
  const std::size_t whole = count - count % kBlock, rest = count - whole;
  for (std::size_t i = 0; i < whole; i += kBlock) store(to + i, function(load(from + i)...));
  if (rest == 0) return;
  const auto load_rest = [&](const auto* values) {
    std::remove_const_t<std::remove_pointer_t<decltype(values)>> padded[kBlock] = {};
    std::copy_n(values + whole, rest, padded);
    return load(padded);
  };
  To padded[kBlock];
  store(padded, function(load_rest(from)...));
  std::copy_n(padded, rest, to + whole);
}

}  // namespace

void convert(const float* from, std::size_t count, Bfloat16* to) {
  map_values(
      count, to, [](Vector value) { return value; }, from);
}

template <class T>
void add(const T* from, std::size_t count, T* to) {
  const T* const so_far = to;
  map_values(
      count, to, [](Vector a, Vector b) { return a + b; }, so_far, from);
}

template <class T>
void relu(const T* from, std::size_t count, T* to) {
  map_values(
      count, to, [](Vector value) { return at_least(value, Vector{}); }, from);
}

template <class T>
void mask(const T* output, const T* diff, std::size_t count, T* to) {
  map_values(
      count, to, [](Vector y, Vector dy) { return y > Vector{} ? dy : Vector{}; }, output, diff);
}

template <class T>
Vector mean(const T* x, std::size_t pixels) {
  DoubleVector total{}, unused{};
  sum_two(
      pixels, [x](std::size_t at, Vector& a, Vector&) { a += load(x + at); }, total, unused);
  return __builtin_convertvector(total / static_cast<double>(pixels), Vector);
}

template <class T>
void moments(const T* x, std::size_t pixels, double* sum, double* sum_of_squares) {
  // Far from zero the squares would drown the variance. Distances to the first pixel do not.
  const Vector first = load(x);
  DoubleVector d{}, d_squared{};
  sum_two(
      pixels,
      [=](std::size_t at, Vector& a, Vector& b) {
        const Vector distance = load(x + at) - first;
        a += distance;
        b += distance * distance;
      },
      d, d_squared);
  const DoubleVector origin = __builtin_convertvector(first, DoubleVector);
  const double n = static_cast<double>(pixels);
  const DoubleVector total = d + n * origin;
  const DoubleVector total_of_squares = d_squared + origin * (2.0 * d + n * origin);
  std::memcpy(sum, &total, sizeof total);
  std::memcpy(sum_of_squares, &total_of_squares, sizeof total_of_squares);
}

template <class T>
void normalize(const T* x, const T* residual, std::size_t pixels, const float* factor,
               const float* offset, bool relu, T* y) {
  const Vector f = load(factor), o = load(offset);
  const Vector lowest = broadcast(relu ? 0.0F : -__builtin_inff());
  if (residual != nullptr) {
    for_each_pixel(pixels, y, [&](std::size_t at) {
      return at_least(load(x + at) * f + o + load(residual + at), lowest);
    });
  } else {
    for_each_pixel(pixels, y,
                   [&](std::size_t at) { return at_least(load(x + at) * f + o, lowest); });
  }
}

template <class T>
void diff_moments(const T* x, const T* dy, std::size_t pixels, const float* mean, double* sum,
                  double* sum_centered) {
  sum_diffs(x, dy, pixels, mean, NoMask{}, sum, sum_centered);
}

template <class T>
void mask_and_diff_moments(const T* x, const T* y, std::size_t pixels, const float* mean, T* dy,
                           double* sum, double* sum_centered) {
  sum_diffs(x, dy, pixels, mean, MaskByOutput<T>{y, dy}, sum, sum_centered);
}

template <class T>
void remask_and_diff_moments(const T* x, std::size_t pixels, const float* mean, const float* factor,
                             const float* offset, T* dy, double* sum, double* sum_centered) {
  sum_diffs(x, dy, pixels, mean, MaskByInput<T>{load(factor), load(offset), dy}, sum, sum_centered);
}

template <class T>
void combine_diff(const T* x, const T* dy, std::size_t pixels, const float* mean,
                  const float* factor, const float* slope, const float* offset, T* dx) {
  const Vector m = load(mean), f = load(factor), s = load(slope), o = load(offset);
  for_each_pixel(pixels, dx,
                 [&](std::size_t at) { return load(dy + at) * f + (load(x + at) - m) * s + o; });
}

template void add(const float*, std::size_t, float*);
template void relu(const float*, std::size_t, float*);
template void mask(const float*, const float*, std::size_t, float*);
template Vector mean(const float*, std::size_t);
template void moments(const float*, std::size_t, double*, double*);
template void normalize(const float*, const float*, std::size_t, const float*, const float*, bool,
                        float*);
template void diff_moments(const float*, const float*, std::size_t, const float*, double*, double*);
template void mask_and_diff_moments(const float*, const float*, std::size_t, const float*, float*,
                                    double*, double*);
template void remask_and_diff_moments(const float*, std::size_t, const float*, const float*,
                                      const float*, float*, double*, double*);
template void combine_diff(const float*, const float*, std::size_t, const float*, const float*,
                           const float*, const float*, float*);

template void add(const Bfloat16*, std::size_t, Bfloat16*);
template void relu(const Bfloat16*, std::size_t, Bfloat16*);
template void mask(const Bfloat16*, const Bfloat16*, std::size_t, Bfloat16*);
template Vector mean(const Bfloat16*, std::size_t);
template void moments(const Bfloat16*, std::size_t, double*, double*);
template void normalize(const Bfloat16*, const Bfloat16*, std::size_t, const float*, const float*,
                        bool, Bfloat16*);
template void diff_moments(const Bfloat16*, const Bfloat16*, std::size_t, const float*, double*,
                           double*);
template void mask_and_diff_moments(const Bfloat16*, const Bfloat16*, std::size_t, const float*,
                                    Bfloat16*, double*, double*);
template void remask_and_diff_moments(const Bfloat16*, std::size_t, const float*, const float*,
                                      const float*, Bfloat16*, double*, double*);
template void combine_diff(const Bfloat16*, const Bfloat16*, std::size_t, const float*,
                           const float*, const float*, const float*, Bfloat16*);

}  // namespace localbatch
