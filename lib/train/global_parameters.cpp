#include "train/global_parameters.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/state.h"
#include "core/vector_math.h"
#include "train/method.h"
#include "train/parameter_average.h"
#include "train/parameter_stream.h"

namespace localbatch {

std::vector<double> weights_of_moves(std::span<const double> norms, double temperature) {
  // From the shortest one, whose weight is never 0. Of moves that are not finite the mean is none
  // either: a NaN makes all weights NaN, and infinity times the weight 0 is NaN.
  const double shortest = *std::ranges::min_element(norms);
  std::vector<double> weights;
  double sum = 0;
  for (const double norm : norms)
    sum += weights.emplace_back(std::exp((shortest - norm) / temperature));
  for (double& weight : weights) weight *= static_cast<double>(norms.size()) / sum;
  return weights;
}

OuterStep outer_step_of(const RoundPlan& round) {
  return {.inner_rate = round.learning_rate(round.local_steps - 1), .elapsed = round.elapsed};
}

namespace {

/// All parameters travel at the end of a round, while the workers stand still.
class StandingParameters final : public GlobalParameters {
 public:
  StandingParameters(const LocalSgd& method, std::span<const float> x,
                     const OuterOptimizerFactory& make_outer_optimizer, Communicator& comm)
      : GlobalParameters(x),
        comm_(comm),
        proximal_(method.proximal),
        weights_temperature_(method.weights_temperature),
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

  Exchange meet(std::span<const float> x) override {
    return average_.begin(weights_temperature_ ? weighted(x) : x, values(), mean_);
  }
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
  /// x_k and this worker's move times its weight, so that the mean over workers has weights.
  std::span<const float> weighted(std::span<const float> x) {
    const double norm = std::sqrt(squared_distance(x, values()));
    std::vector<double> norms(static_cast<std::size_t>(comm_.num_workers()));
    comm_.exchange({.mine = std::span(&norm, 1), .all = norms, .traffic = Traffic::kStatistics});
    const auto me = static_cast<std::size_t>(comm_.worker());
    const auto weight = static_cast<float>(weights_of_moves(norms, *weights_temperature_)[me]);
    weighted_.resize(x.size());
    const std::span<const float> x_k = values();
    for (std::size_t i = 0; i < x.size(); ++i) weighted_[i] = x_k[i] + weight * (x[i] - x_k[i]);
    return weighted_;
  }

  /// The proximal step of FedProx's term mu/2 |x - x_k|^2 with this learning rate: to the minimum
  /// of the term and |x - y|^2/(2 lr) over x, where y is the point that the local step has led to.
  void pull(std::span<float> x, double learning_rate) {
    const std::span<const float> x_k = values();
    const auto kept = static_cast<float>(1 / (1 + learning_rate * proximal_));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = x_k[i] + kept * (x[i] - x_k[i]);
  }

  Communicator& comm_;
  double proximal_;  ///< mu
  std::optional<double> weights_temperature_;
  std::function<double(int h)> learning_rates_;
  OuterStep outer_step_;
  std::vector<float> mean_, weighted_;
  ParameterAverage average_;
  std::unique_ptr<OuterOptimizer> outer_optimizer_;
};

}  // namespace

std::unique_ptr<GlobalParameters> make_global_parameters(
    const LocalSgd& method, std::span<const float> x,
    const OuterOptimizerFactory& make_outer_optimizer, Communicator& comm) {
  if (method.stream)
    return std::make_unique<ParameterStream>(method, x, make_outer_optimizer, comm);
  return std::make_unique<StandingParameters>(method, x, make_outer_optimizer, comm);
}

}  // namespace localbatch
