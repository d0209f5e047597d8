#include "problems/problem.h"

namespace localbatch {

namespace {

/// x^2/2 of one number.
class DummyProblem final : public Problem {
 public:
  DummyProblem() : Problem(GradientNoise{}) { facts_.smoothness = 1; }

  std::size_t dimension() const override { return 1; }

  void initial_point(std::span<float> x) const override { x[0] = 1; }

  double value(std::span<const float> x, std::span<double> gradient) const override {
    gradient[0] = x[0];
    return x[0] * gradient[0] / 2;
  }
};

}  // namespace

ProblemFactory make_dummy_problem(Options& options) {
  return {.trace = read_trace(options),
          .make = [](const LabelledImages&) { return std::make_unique<DummyProblem>(); }};
}

}  // namespace localbatch
