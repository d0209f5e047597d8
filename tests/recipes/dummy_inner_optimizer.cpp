#include "optim/inner_optimizer.h"

namespace localbatch {

namespace {

class DummyInnerOptimizer final : public InnerOptimizer {
 public:
  void step(std::span<float> parameters, std::span<const float> gradient, const StepSize& size,
            const ParallelFor& /*parallel_for*/) override {
    const auto rate = static_cast<float>(size.learning_rate);
    for (std::size_t i = 0; i < parameters.size(); ++i)
      parameters[i] -= gradient[i] > 0 ? rate : -rate;
    ++steps_;
  }

  std::span<float> state() override { return {}; }
  std::int64_t& steps() override { return steps_; }

 private:
  std::int64_t steps_ = 0;
};

}  // namespace

InnerOptimizerFactory make_dummy_inner_optimizer(Options& /*options*/) {
  return {.make = [](const ParameterLayout&) { return std::make_unique<DummyInnerOptimizer>(); }};
}

}  // namespace localbatch
