#pragma once

#include <span>
#include <vector>

#include "comm/communicator.h"
#include "train/round.h"

namespace localbatch {

class Meter;
class OuterOptimizer;
class Worker;
struct LocalSgd;

/// How the workers' parameters become their mean. As kFloat32 they travel as they are. Otherwise
/// what travels is each worker's move since the last synchronization, rounded, and what rounding
/// took away is sent along with the next move (error feedback: Seide et al. 2014, Karimireddy et
/// al. 2019). Means of means are rounded too, and that is not made up for: see round_mean().
class ParameterAverage {
 public:
  ParameterAverage(Payload payload, std::size_t size)
      : payload_(payload), residual_(payload == Payload::kFloat32 ? 0 : size) {}

  /// What is to be averaged, with the mean going to `mean`. The spans must stay where they are.
  Averaged begin(std::span<const float> x, std::span<const float> x_global, std::span<float> mean);

  /// Afterwards: makes `mean` that of the parameters.
  void finish(std::span<const float> x_global, std::span<float> mean) const;

  /// Squared norm of what rounding took away from this worker's moves and is still to be sent.
  double squared_residual() const;

  /// This worker's own.
  void visit_state(StateVisitor& visitor);

 private:
  Payload payload_;
  std::vector<float> residual_, sent_;
  std::int64_t averages_ = 0;  ///< so far: the key of what is random in rounding
};

/// One worker's part in the two meetings that end a round.
class Synchronizer {
 public:
  /// The worker holds the global parameters. What it refers to must outlive the synchronizer.
  Synchronizer(const LocalSgd& method, Worker& worker, OuterOptimizer& outer_optimizer,
               Communicator& comm);

  /// First meeting: averages parameters, what else belongs to them, and the gradients that `meter`
  /// asks for; then the outer optimizer moves the global parameters with the learning rate of the
  /// last local step, and they become the worker's. Returns what this worker has seen: drift,
  /// residual and gradients. Collective.
  RoundNumbers average(Meter& meter, double learning_rate);

  /// Second meeting: turns a worker's own numbers into those of all, and makes sure that whatever
  /// is to be equal on all workers is, to the bit. Throws a SystemError that names worker and
  /// tensor if it is not: a computer or a network that errs. Collective, one message to every rank.
  RoundNumbers share(const RoundNumbers& mine);

  /// What is equal on all workers: global parameters and the outer optimizer's state.
  void visit_common_state(StateVisitor& visitor);
  /// What is this worker's own.
  void visit_own_state(StateVisitor& visitor) { parameters_.visit_state(visitor); }

 private:
  double hash_of_common_state();
  [[noreturn]] void fail_different();

  Worker& worker_;
  OuterOptimizer& outer_optimizer_;
  Communicator& comm_;
  ParameterAverage parameters_;
  std::vector<float> x_global_, mean_;
};

}  // namespace localbatch
