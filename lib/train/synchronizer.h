#pragma once

#include <memory>

#include "optim/outer_optimizer.h"
#include "train/global_parameters.h"
#include "train/round.h"

namespace localbatch {

class Meter;
class Worker;
struct LocalSgd;

/// One worker's part in the two meetings that end a round, and in what travels before.
class Synchronizer {
 public:
  /// The worker holds the global parameters. What it refers to must outlive the synchronizer.
  Synchronizer(const LocalSgd& method, Worker& worker,
               const OuterOptimizerFactory& make_outer_optimizer, Communicator& comm);

  /// Before the local steps of a round.
  void begin(const RoundPlan& round);

  /// After so many of them: see GlobalParameters. Collective.
  void after_step(int steps);

  /// First meeting: averages parameters, what else belongs to them, and the gradients that `meter`
  /// asks for; then the outer optimizer moves the global parameters, which become the worker's
  /// until the next round begins. Returns what this worker has seen: drift, residual and gradients.
  /// Collective.
  RoundNumbers average(Meter& meter);

  /// Second meeting: turns a worker's own numbers into those of all, and makes sure that whatever
  /// is to be equal on all workers is, to the bit. Throws a SystemError that names worker and
  /// tensor if it is not: a computer or a network that errs. Collective, one message to every rank.
  RoundNumbers share(const RoundNumbers& mine);

  /// What is equal on all workers: global parameters and the outer optimizer's state.
  void visit_common_state(StateVisitor& visitor);
  /// What is this worker's own.
  void visit_own_state(StateVisitor& visitor);

 private:
  double hash_of_common_state();
  [[noreturn]] void fail_different();

  Worker& worker_;
  Communicator& comm_;
  std::unique_ptr<GlobalParameters> global_;
};

}  // namespace localbatch
