#include "nn/gate.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/vector.h"

using namespace localbatch;

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr int kRows = 3;

std::size_t as_size(int count) { return static_cast<std::size_t>(count); }

double activation(Gate gate, double a) {
  if (gate == Gate::kSilu) return a / (1 + std::exp(-a));
  if (gate == Gate::kGelu) return a * std::erfc(-a / std::sqrt(2.0)) / 2;
  return a / 2 * (1 + std::tanh(std::sqrt(2 / kPi) * (a + 0.044715 * a * a * a)));
}

/// Values of a and b between -8 and 8, all different.
std::vector<float> inputs_of(Gate gate, int hidden) {
  std::vector<float> ab(as_size(kRows * gate_inputs(gate) * hidden));
  for (std::size_t i = 0; i < ab.size(); ++i)
    ab[i] = static_cast<float>(8 * std::sin(0.7 * static_cast<double>(i) + 1));
  return ab;
}

/// Checks all three gates at several widths: check(gate, hidden, ab, diff_z).
template <class Check>
void for_each_gate(Check check) {
  for (const Gate gate : {Gate::kSilu, Gate::kGelu, Gate::kGeluTanh})
    for (const int hidden : {1, kChannelBlock, 172, 256}) {
      CAPTURE(static_cast<int>(gate));
      CAPTURE(hidden);
      std::vector<float> diff_z(as_size(kRows * hidden));
      for (std::size_t i = 0; i < diff_z.size(); ++i)
        diff_z[i] = static_cast<float>(std::cos(0.3 * static_cast<double>(i)));
      check(gate, hidden, inputs_of(gate, hidden), diff_z);
    }
}

/// Where a value of z comes from: a, and b where there is one.
struct Place {
  std::size_t z, a, b;
};

template <class Visit>
void for_each_place(Gate gate, int hidden, Visit visit) {
  for (int row = 0; row < kRows; ++row)
    for (int i = 0; i < hidden; ++i) {
      const std::size_t a = as_size(row * gate_inputs(gate) * hidden + i);
      visit(Place{as_size(row * hidden + i), a, a + as_size(hidden)});
    }
}

bool is_rounded(Bfloat16 half, float value) {
  Bfloat16 expected[kChannelBlock];
  store(expected, broadcast(value));
  return half.bits == expected[0].bits;
}

}  // namespace

TEST_CASE("gates have the values of their formulas, in f32 and rounded to bf16") {
  for_each_gate(
      [](Gate gate, int hidden, const std::vector<float>& ab, const std::vector<float>& diff_z) {
        std::vector<float> z(diff_z.size());
        std::vector<Bfloat16> halves(z.size());
        gate_forward(gate, kRows, hidden, ab.data(), z.data());
        gate_forward(gate, kRows, hidden, ab.data(), halves.data());
        double error = 0;
        bool rounded = true;
        for_each_place(gate, hidden, [&](const Place& at) {
          const double b = gate == Gate::kSilu ? ab[at.b] : 1;
          const double exact = activation(gate, ab[at.a]) * b;
          error = std::max(error, std::abs(z[at.z] - exact) / std::max(1.0, std::abs(exact)));
          rounded = rounded && is_rounded(halves[at.z], z[at.z]);
        });
        CHECK(error < 2e-6);
        CHECK(rounded);
      });
}

TEST_CASE("gradients of gates are finite differences, and z is that of the forward pass") {
  for_each_gate(
      [](Gate gate, int hidden, const std::vector<float>& ab, const std::vector<float>& diff_z) {
        std::vector<float> forward(diff_z.size()), z(diff_z.size()), diff(ab.size());
        gate_forward(gate, kRows, hidden, ab.data(), forward.data());
        gate_backward(gate, kRows, hidden, ab.data(), diff_z.data(), z.data(), diff.data());
        CHECK(z == forward);
        std::vector<Bfloat16> z_halves(z.size()), diff_halves(diff.size());
        gate_backward(gate, kRows, hidden, ab.data(), diff_z.data(), z_halves.data(),
                      diff_halves.data());
        double error = 0;
        bool rounded = true;
        for_each_place(gate, hidden, [&](const Place& at) {
          constexpr double kStep = 1e-5;
          const double a = ab[at.a], b = gate == Gate::kSilu ? ab[at.b] : 1;
          const double slope =
              (activation(gate, a + kStep) - activation(gate, a - kStep)) / (2 * kStep);
          error = std::max(error, std::abs(diff[at.a] - diff_z[at.z] * b * slope));
          rounded = rounded && is_rounded(diff_halves[at.a], diff[at.a]) &&
                    is_rounded(z_halves[at.z], z[at.z]);
          if (gate != Gate::kSilu) return;
          error = std::max(error, std::abs(diff[at.b] - diff_z[at.z] * activation(gate, a)));
          rounded = rounded && is_rounded(diff_halves[at.b], diff[at.b]);
        });
        CHECK(error < 1e-5);
        CHECK(rounded);
      });
}

TEST_CASE("far from zero gates are the identity or zero, and never NaN") {
  for (const Gate gate : {Gate::kSilu, Gate::kGelu, Gate::kGeluTanh})
    for (const float a : {-1e4F, -200.0F, 200.0F, 1e4F}) {
      CAPTURE(static_cast<int>(gate));
      CAPTURE(a);
      const float ab[2] = {a, 1}, diff_z = 1;
      float z = 7, diff[2] = {7, 7};
      gate_backward(gate, 1, 1, ab, &diff_z, &z, diff);
      CHECK(z == std::max(a, 0.0F));
      CHECK(diff[0] == (a > 0 ? 1 : 0));
      if (gate == Gate::kSilu) CHECK(diff[1] == z);
    }
}
