#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/make_node.h"
#include "core/random.h"
#include "optim/inner_optimizer.h"

using namespace localbatch;

namespace {

using Matrix = ParameterLayout::Matrix;

std::vector<float> random_values(std::size_t size, std::uint64_t owner) {
  RandomStream stream(31, Purpose::kTest, owner);
  std::vector<float> values(size);
  for (float& value : values) value = stream.normal();
  return values;
}

/// f(f(...f(s))) of a singular value, with the polynomial of the iteration.
double five_times(double s) {
  for (int i = 0; i < 5; ++i) s = 3.4445 * s - 4.7750 * std::pow(s, 3) + 2.0315 * std::pow(s, 5);
  return s;
}

/// (I - 2 v v^T)_ij for a unit vector v that depends on the size: an orthogonal matrix.
double reflection(std::size_t size, std::size_t i, std::size_t j) {
  const auto v = [size](std::size_t k) { return 1.0 + static_cast<double>((3 * k + size) % 5); };
  double squared = 0;
  for (std::size_t k = 0; k < size; ++k) squared += v(k) * v(k);
  return (i == j ? 1.0 : 0.0) - 2 * v(i) * v(j) / squared;
}

constexpr std::array<double, 4> kSingularValues{3, 1, 0.25, 0};

/// U diag(values) V^T with reflections U and V.
double element(const Matrix& matrix, const std::array<double, 4>& values, std::size_t row,
               std::size_t column) {
  double sum = 0;
  for (std::size_t k = 0; k < values.size(); ++k)
    sum += reflection(matrix.rows, row, k) * values[k] * reflection(matrix.columns, column, k);
  return sum;
}

/// A step along a gradient whose singular values are known, at learning rate 1 from 0.
double largest_deviation(const Matrix& matrix, const MuonSettings& settings, double scale) {
  std::array<double, 4> orthogonal{};
  double squared = 0;
  for (const double s : kSingularValues) squared += s * s;
  for (std::size_t k = 0; k < orthogonal.size(); ++k)
    orthogonal[k] = five_times(kSingularValues[k] / std::sqrt(squared));
  std::vector<float> gradient(matrix.size()), x(matrix.size());
  for (std::size_t row = 0; row < matrix.rows; ++row)
    for (std::size_t column = 0; column < matrix.columns; ++column)
      gradient[matrix.place(row, column)] =
          static_cast<float>(element(matrix, kSingularValues, row, column));
  make_muon(settings)
      .make({.size = matrix.size(), .hidden_matrices = {matrix}})
      ->step(x, gradient, 1);
  double largest = 0;
  for (std::size_t row = 0; row < matrix.rows; ++row)
    for (std::size_t column = 0; column < matrix.columns; ++column)
      largest = std::max(largest, std::abs(x[matrix.place(row, column)] +
                                           scale * element(matrix, orthogonal, row, column)));
  return largest;
}

/// A layout with all there is: vectors and matrices of AdamW around two hidden matrices.
ParameterLayout mixed_layout() {
  return {.size = 200,
          .vectors = {{0, 5}, {40, 3}, {190, 10}},
          .hidden_matrices = {{.first = 43, .rows = 8, .columns = 6, .block = 4},
                              {.first = 100, .rows = 5, .columns = 16}}};
}

bool is_hidden(std::size_t place) {
  return (place >= 43 && place < 91) || (place >= 100 && place < 180);
}

}  // namespace

TEST_CASE(
    "Muon's step has the singular values that its polynomial makes of those of the gradient") {
  const MuonSettings original{.momentum = 0}, adamw{.momentum = 0, .scale = MuonScale::kMatchAdamw};
  const Matrix wide{.rows = 6, .columns = 50}, square{.rows = 20, .columns = 20};
  const Matrix tall{.rows = 36, .columns = 9}, blocked{.rows = 32, .columns = 18, .block = 16};
  constexpr double kRoundOff = 2e-5;
  CHECK(largest_deviation(wide, original, 1) < kRoundOff);
  CHECK(largest_deviation(square, original, 1) < kRoundOff);
  CHECK(largest_deviation(tall, original, 2) < kRoundOff);
  CHECK(largest_deviation(blocked, original, std::sqrt(32.0 / 18)) < kRoundOff);
  CHECK(largest_deviation(tall, adamw, 0.2 * 6) < kRoundOff);
  CHECK(largest_deviation(wide, adamw, 0.2 * std::sqrt(50.0)) < kRoundOff);
  // The three singular values above 0 are about 1 in the step.
  for (const double s : {3.0, 1.0, 0.25}) {
    const double orthogonal = five_times(s / std::sqrt(9 + 1 + 0.0625));
    CHECK(orthogonal > 0.65);
    CHECK(orthogonal < 1.25);
  }
}

TEST_CASE("Muon's velocity is that of momentum, and a step is that along the velocity") {
  const ParameterLayout layout{.size = 48, .hidden_matrices = {{.rows = 6, .columns = 8}}};
  for (const bool nesterov : {false, true}) {
    const MuonSettings settings{.momentum = 0.5, .nesterov = nesterov, .weight_decay = 0.25};
    const auto optimizer = make_muon(settings).make(layout);
    const std::vector<float> first = random_values(48, 1), second = random_values(48, 2);
    std::vector<float> x = random_values(48, 3);
    optimizer->step(x, first, 0.5);
    std::vector<float> start = x, velocity(48), direction(48);
    for (std::size_t i = 0; i < 48; ++i) {
      velocity[i] = 0.5F * first[i] + second[i];
      direction[i] = nesterov ? second[i] + 0.5F * velocity[i] : velocity[i];
    }
    optimizer->step(x, second, 0.5);
    CHECK(std::ranges::equal(optimizer->state(), velocity));
    // The same step as one along that direction without momentum.
    make_muon({.momentum = 0, .weight_decay = 0.25}).make(layout)->step(start, direction, 0.5);
    CHECK(x == start);
  }
}

TEST_CASE("weight decay of Muon is decoupled, and a gradient of zero moves nothing else") {
  const ParameterLayout layout{.size = 12, .hidden_matrices = {{.rows = 3, .columns = 4}}};
  std::vector<float> x(12, 8);
  make_muon({.weight_decay = 0.5}).make(layout)->step(x, std::vector<float>(12), 0.25);
  CHECK(x == std::vector<float>(12, 7));
}

TEST_CASE("what is no hidden matrix takes the steps of AdamW at its own rate, to the bit") {
  const ParameterLayout layout = mixed_layout();
  const AdamwSettings adamw{
      .beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-6, .weight_decay = 0.25, .decay = Decay::kMatrices};
  const MuonSettings muon{
      .weight_decay = 0.25, .adamw_rate = 0.5, .beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-6};
  const auto mixed = make_muon(muon).make(layout), plain = make_adamw(adamw).make(layout);
  std::vector<float> x = random_values(200, 1), y = x;
  for (std::uint64_t t = 2; t < 5; ++t) {
    const std::vector<float> gradient = random_values(200, t);
    mixed->step(x, gradient, 0.2);
    plain->step(y, gradient, 0.1);
  }
  for (std::size_t i = 0; i < 200; ++i) {
    CAPTURE(i);
    CHECK((x[i] == y[i]) == !is_hidden(i));
  }
  // A velocity or first moment each, and second moments of the others alone.
  CHECK(mixed->state().size() == 200 + (200 - 48 - 80));
}

TEST_CASE("a layout without hidden matrices, and one without anything else") {
  std::vector<float> x(6, 1);
  const std::vector<float> gradient(6, 1);
  make_muon({.weight_decay = 0, .adamw_rate = 1})
      .make({.size = 6, .vectors = {{0, 2}}})
      ->step(x, gradient, 0.25);
  for (const float value : x) CHECK(value == doctest::Approx(0.75).epsilon(1e-5));
  const auto only =
      make_muon(MuonSettings{}).make({.size = 6, .hidden_matrices = {{.rows = 2, .columns = 3}}});
  CHECK(only->state().size() == 6);
}

TEST_CASE("keys of muon set their own numbers, and its steps are not linear") {
  const Node file = map({{"name", scalar("muon")},
                         {"scale", scalar("match_adamw")},
                         {"clip_norm", scalar("2")},
                         {"at_sync", scalar("average")}});
  Options options(file);
  const InnerOptimizerFactory factory = make_part(inner_optimizer_table(), options, "", "");
  options.finish();
  CHECK(!factory.linear.has_value());
  CHECK(factory.clip_norm == 2);
  CHECK(factory.at_sync == StatePolicy::kAverage);
}
