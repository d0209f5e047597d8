#pragma once

#include <memory>
#include <span>
#include <vector>

#include "comm/communicator.h"
#include "optim/outer_optimizer.h"
#include "train/round.h"

namespace localbatch {

class StateVisitor;
struct LocalSgd;

/// The global parameters x_k as one worker has them, and how the workers' parameters travel to move
/// them: all at the end of a round, or while local steps go on (ParameterStream). `x` are the
/// worker's parameters, which are the global ones between two rounds.
class GlobalParameters {
 public:
  explicit GlobalParameters(std::span<const float> x) : x_global_(x.begin(), x.end()) {}
  virtual ~GlobalParameters() = default;

  /// Before the local steps of a round: `x` becomes the point at which the worker begins.
  virtual void begin(const RoundPlan& round, std::span<float> x) = 0;

  /// After so many of them: a proximal step, where the method has one, or parameters that leave and
  /// arrive. Collective.
  virtual void after_step(int steps, std::span<float> x) = 0;

  /// After all of them: what is to travel in the meeting that ends the round. What it refers to
  /// stays until finish(). Collective.
  virtual Exchange meet(std::span<const float> x) = 0;

  /// After that meeting.
  virtual void finish() = 0;

  /// The mean of the workers' parameters, then. Empty where they have not met at one time.
  virtual std::span<const float> mean() const = 0;

  /// Squared distance of the worker from that mean, each parameter at the time when it travelled.
  virtual double drift(std::span<const float> x) const = 0;

  /// Squared norm of what this worker is still to send, as its numbers do not travel as they are.
  virtual double squared_residual() const = 0;

  /// Moves the global parameters, where they have not moved before, and makes `x` of them.
  virtual void move(std::span<float> x) = 0;

  std::span<const float> values() const { return x_global_; }
  /// Puts them there, as when a run is resumed.
  void put(std::span<const float> x) { x_global_.assign(x.begin(), x.end()); }

  /// What is equal on all workers beside the values.
  virtual void visit_common_state(StateVisitor& visitor) = 0;
  /// What is this worker's own.
  virtual void visit_own_state(StateVisitor& visitor) = 0;

 protected:
  std::span<float> x_global() { return x_global_; }

 private:
  std::vector<float> x_global_;
};

/// Weights of workers whose moves have these norms, softmax(-norms/temperature), times how many
/// workers there are: factors of their moves in a mean.
std::vector<double> weights_of_moves(std::span<const double> norms, double temperature);

/// The outer step that ends a round.
OuterStep outer_step_of(const RoundPlan& round);

/// As the method says, from the worker's parameters. What it refers to must outlive the result.
std::unique_ptr<GlobalParameters> make_global_parameters(
    const LocalSgd& method, std::span<const float> x,
    const OuterOptimizerFactory& make_outer_optimizer, Communicator& comm);

}  // namespace localbatch
