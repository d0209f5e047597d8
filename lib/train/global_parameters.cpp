#include "train/global_parameters.h"

#include <algorithm>
#include <functional>

#include "core/state.h"
#include "core/vector_math.h"
#include "train/method.h"
#include "train/parameter_average.h"
#include "train/parameter_stream.h"

namespace localbatch {

OuterStep outer_step_of(const RoundPlan& round) {
  return {.inner_rate = round.learning_rate(round.local_steps - 1), .elapsed = round.elapsed};
}

namespace {

/// All parameters travel at the end of a round, while the workers stand still.
class StandingParameters final : public GlobalParameters {
 public:
  StandingParameters(const LocalSgd& method, std::span<const float> x,
                     const OuterOptimizerFactory& make_outer_optimizer)
      : GlobalParameters(x),
        proximal_(method.proximal),
        mean_(x.size()),
        average_(method.format, x.size(), method.num_workers),
        outer_optimizer_(make_outer_optimizer(x.size())) {}

  void begin(const RoundPlan& round, std::span<float> /*x*/) override {
    learning_rates_ = round.learning_rate;
    outer_step_ = outer_step_of(round);
  }

  void after_step(int steps, std::span<float> x) override {
    if (proximal_ > 0) pull(x, learning_rates_(steps - 1));
  }

  Exchange meet(std::span<const float> x) override { return average_.begin(x, values(), mean_); }
  void finish() override { average_.finish(values(), mean_); }

  std::span<const float> mean() const override { return mean_; }
  double drift(std::span<const float> x) const override { return squared_distance(x, mean_); }
  double squared_residual() const override { return average_.squared_residual(); }

  void move(std::span<float> x) override {
    outer_optimizer_->step(x_global(), mean_, outer_step_);
    std::ranges::copy(values(), x.begin());
  }

  void visit_common_state(StateVisitor& visitor) override {
    visitor.visit("outer_optimizer", outer_optimizer_->state());
  }
  void visit_own_state(StateVisitor& visitor) override { average_.visit_state(visitor); }

 private:
  /// The proximal step of FedProx's term mu/2 |x - x_k|^2 with this learning rate: to the minimum
  /// of the term and |x - y|^2/(2 lr) over x, where y is the point that the local step has led to.
  void pull(std::span<float> x, double learning_rate) {
    const std::span<const float> x_k = values();
    const auto kept = static_cast<float>(1 / (1 + learning_rate * proximal_));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = x_k[i] + kept * (x[i] - x_k[i]);
  }

  double proximal_;  ///< mu
  std::function<double(int h)> learning_rates_;
  OuterStep outer_step_;
  std::vector<float> mean_;
  ParameterAverage average_;
  std::unique_ptr<OuterOptimizer> outer_optimizer_;
};

}  // namespace

std::unique_ptr<GlobalParameters> make_global_parameters(
    const LocalSgd& method, std::span<const float> x,
    const OuterOptimizerFactory& make_outer_optimizer, Communicator& comm) {
  if (method.stream)
    return std::make_unique<ParameterStream>(method, x, make_outer_optimizer, comm);
  return std::make_unique<StandingParameters>(method, x, make_outer_optimizer);
}

}  // namespace localbatch
