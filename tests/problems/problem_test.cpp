#include "problems/problem.h"

#include <algorithm>
#include <cmath>

#include "problems/problems.h"
#include "problems/symmetric_matrix.h"

namespace localbatch {

namespace {

constexpr float kMove = 1.0F / 1024;

/// Column i of the Hessian at x, by differences of the gradient.
std::vector<double> hessian_column(const Problem& problem, std::vector<float> x, std::size_t i) {
  x[i] += kMove;
  std::vector<double> column = gradient_of(problem, x);
  x[i] -= 2 * kMove;
  const std::vector<double> before = gradient_of(problem, x);
  for (std::size_t j = 0; j < column.size(); ++j) column[j] = (column[j] - before[j]) / (2 * kMove);
  return column;
}

SymmetricMatrix hessian_at(const Problem& problem, const std::vector<float>& x, double factor,
                           double diagonal) {
  SymmetricMatrix matrix(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::vector<double> column = hessian_column(problem, x, i);
    for (std::size_t j = 0; j <= i; ++j) matrix.row(i)[j] = factor * column[j];
  }
  matrix.add_to_diagonal(diagonal);
  return matrix;
}

/// With a shift that makes the matrix positive semidefinite.
constexpr double kShift = 100;
double largest_curvature(const Problem& problem, const std::vector<float>& x) {
  return largest_eigenvalue(hessian_at(problem, x, 1, kShift)) - kShift;
}
double smallest_curvature(const Problem& problem, const std::vector<float>& x) {
  return kShift - largest_eigenvalue(hessian_at(problem, x, -1, kShift));
}

}  // namespace

TEST_CASE("a problem's gradient is that of its value") {
  for (const auto& problem : small_problems())
    for (std::uint64_t which = 0; which < 3; ++which) {
      std::vector<float> x = random_point(problem->dimension(), which);
      const std::vector<double> gradient = gradient_of(*problem, x);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const float here = x[i];
        x[i] = here + kMove;
        const double above = value_of(*problem, x);
        x[i] = here - kMove;
        const double below = value_of(*problem, x);
        x[i] = here;
        CHECK((above - below) / (2 * kMove) == doctest::Approx(gradient[i]).epsilon(1e-5));
      }
    }
}

TEST_CASE("no curvature of a problem lies outside of mu .. L, and L is met") {
  for (const auto& problem : small_problems()) {
    const ProblemFacts& facts = problem->facts();
    // At zero each of these has its largest curvature.
    const std::vector<float> zero(problem->dimension());
    CHECK(largest_curvature(*problem, zero) == doctest::Approx(facts.smoothness).epsilon(1e-5));
    if (facts.minimizer.empty()) continue;  // not convex
    for (std::uint64_t which = 0; which < 3; ++which) {
      const std::vector<float> x = random_point(problem->dimension(), which);
      CHECK(largest_curvature(*problem, x) <= facts.smoothness * (1 + 1e-5));
      CHECK(smallest_curvature(*problem, x) >= facts.strong_convexity - 1e-5);
    }
  }
  const auto quadratic =
      make(make_quadratic({.smallest_eigenvalue = 0.25, .largest_eigenvalue = 4}));
  CHECK(quadratic->facts().strong_convexity == 0.25);
  CHECK(smallest_curvature(*quadratic, std::vector<float>(20)) == doctest::Approx(0.25));
}

TEST_CASE("the spectrum of the quadratic is geometric") {
  const auto problem =
      make(make_quadratic({.dimension = 3, .smallest_eigenvalue = 0.5, .largest_eigenvalue = 8}));
  const std::vector<double> gradient = gradient_of(*problem, {1, 1, 1});
  CHECK(gradient[0] == 0.5);
  CHECK(gradient[1] == doctest::Approx(2));
  CHECK(gradient[2] == doctest::Approx(8));
  CHECK(value_of(*problem, {2, 0, 0}) == 1);
}

TEST_CASE("no point lies below the minimum, and the minimizer on it, with no gradient") {
  for (const auto& problem : small_problems()) {
    const ProblemFacts& facts = problem->facts();
    for (std::uint64_t which = 0; which < 3; ++which)
      CHECK(value_of(*problem, random_point(problem->dimension(), which)) > facts.minimum);
    if (facts.minimizer.empty()) continue;
    const std::vector<float> x(facts.minimizer.begin(), facts.minimizer.end());
    for (const double g : gradient_of(*problem, x)) CHECK(std::abs(g) < 1e-6);  // x is in f32
    CHECK(value_of(*problem, x) - facts.minimum < 1e-12);
    CHECK(value_of(*problem, x) - facts.minimum > -1e-15);
  }
}

TEST_CASE("the quadratic and the cosine keep their digits near the minimum") {
  const auto quadratic = make(make_quadratic({.dimension = 1, .smallest_eigenvalue = 0.1}));
  CHECK(value_of(*quadratic, {1e-15F}) == doctest::Approx(0.1 * 0.5e-30).epsilon(1e-6));
  const auto cosine = make(make_cosine({.dimension = 1}));
  CHECK(value_of(*cosine, {1e-15F}) == doctest::Approx(0.5e-30).epsilon(1e-6));
}

TEST_CASE("each key of a problem sets its own number") {
  const auto check_same = [](const ProblemFactory& read, const ProblemFactory& made) {
    const auto one = make(read), other = make(made);
    REQUIRE(one->dimension() == other->dimension());
    CHECK(read.trace == made.trace);
    CHECK(read.needs_images == made.needs_images);
    std::vector<float> x(one->dimension()), y(x);
    one->initial_point(x);
    other->initial_point(y);
    CHECK(x == y);
    CHECK(one->facts().minimum == other->facts().minimum);
    const ProblemBatch batch{.seed = 1, .worker = 1, .first = 3, .size = 2};
    CHECK(sample_of(*one, x, batch) == sample_of(*other, x, batch));
  };
  check_same(read_problem("quadratic", {{"dimension", "7"},
                                        {"smallest_eigenvalue", "0.25"},
                                        {"largest_eigenvalue", "4"},
                                        {"start", "0.5"},
                                        {"trace", "true"},
                                        {"noise_variance", "2"},
                                        {"relative_noise", "0.5"}}),
             make_quadratic({.dimension = 7,
                             .smallest_eigenvalue = 0.25,
                             .largest_eigenvalue = 4,
                             .start = 0.5,
                             .trace = true,
                             .noise = {.variance = 2, .relative = 0.5}}));
  check_same(read_problem("cosine", {{"dimension", "7"}, {"start", "0.5"}, {"trace", "true"}}),
             make_cosine({.dimension = 7, .start = 0.5, .trace = true}));
  check_same(
      read_problem("logistic_regression", {{"samples", "50"}, {"pool", "1"}, {"ridge", "1"}}),
      make_logistic_regression({.samples = 50, .pool = 1}, {.ridge = 1}));
  check_same(
      read_problem("generated_logistic_regression", {{"samples", "40"},
                                                     {"features", "3"},
                                                     {"signal", "0.5"},
                                                     {"generator_seed", "9"},
                                                     {"gradient", "exact"},
                                                     {"relative_noise", "0.5"}}),
      make_generated_logistic_regression({.samples = 40, .features = 3, .signal = 0.5, .seed = 9},
                                         {.exact_gradient = true, .noise = {.relative = 0.5}}));
  for (const char* const name : {"quadratic", "cosine"}) {
    const ProblemFactory defaults = name == std::string("cosine")
                                        ? make_cosine(CosineSettings{})
                                        : make_quadratic(QuadraticSettings{});
    check_same(read_problem(name, {}), defaults);
  }
}

TEST_CASE("a sampled gradient is a function of seed, worker, place and size") {
  const GradientNoise noise{.variance = 1};
  for (const ProblemFactory& factory :
       {make_quadratic({.noise = noise}), make_cosine({.noise = noise}),
        make_logistic_regression({}, {.noise = noise})}) {
    const auto problem = make(factory);
    const std::vector<float> x = random_point(problem->dimension(), 0);
    const ProblemBatch batch{.seed = 3, .worker = 2, .first = 40, .size = 7};
    const std::vector<double> gradient = sample_of(*problem, x, batch);
    CHECK(sample_of(*problem, x, batch) == gradient);
    for (const ProblemBatch other : {ProblemBatch{4, 2, 40, 7}, ProblemBatch{3, 1, 40, 7},
                                     ProblemBatch{3, 2, 41, 7}, ProblemBatch{3, 2, 40, 8}})
      CHECK(sample_of(*problem, x, other) != gradient);
  }
}

TEST_CASE("sampled gradients are unbiased, and their variance falls with the batch") {
  // With images drawn by chance, and noise beside them.
  const auto problem =
      make(make_logistic_regression({}, {.ridge = 0.1, .noise = {.variance = 0.25}}));
  const std::vector<float> x = random_point(problem->dimension(), 1);
  const std::vector<double> exact = gradient_of(*problem, x);
  std::vector<double> variances;
  for (const int size : {1, 4, 16}) {
    constexpr int kDraws = 4000;
    std::vector<double> mean(x.size());
    double variance = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
      const std::vector<double> g =
          sample_of(*problem, x, {.seed = 1, .worker = 0, .first = draw * size, .size = size});
      for (std::size_t i = 0; i < g.size(); ++i) {
        mean[i] += g[i] / kDraws;
        variance += (g[i] - exact[i]) * (g[i] - exact[i]) / kDraws;
      }
    }
    double error = 0;
    for (std::size_t i = 0; i < mean.size(); ++i)
      error += (mean[i] - exact[i]) * (mean[i] - exact[i]);
    CHECK(error < 3 * variance / kDraws);
    variances.push_back(variance * size);
  }
  CHECK(variances[0] > 0.25 * static_cast<double>(x.size()));
  CHECK(variances[1] == doctest::Approx(variances[0]).epsilon(0.1));
  CHECK(variances[2] == doctest::Approx(variances[0]).epsilon(0.1));
}

}  // namespace localbatch
