#pragma once

#include <memory>
#include <span>
#include <vector>

#include "comm/mean_tree.h"
#include "optim/outer_optimizer.h"
#include "train/parameter_average.h"

namespace localbatch {

/// How parameters travel while local steps go on, in place of standing still for it: in fragments,
/// each of which arrives some local steps after it was sent (Streaming DiLoCo, Douillard et al.
/// 2025; one fragment whose late steps are kept is the delayed averaging of Zhu et al. 2021, as
/// recalled). Steps are counted and not seconds, so that bits do not depend on a network.
struct StreamOptions {
  int fragments = 1;              ///< P
  int delay = 0;                  ///< tau, local steps; of H steps at most H - 1
  double mix = 1;                 ///< what arrives makes up so much of the worker's own parameters
  bool keeps_late_steps = false;  ///< those from sending to arrival are added to what arrives
};

/// The local steps of a round after which a fragment is sent, and after which it arrives.
struct FragmentTimes {
  int sent = 1, arrives = 1;
};

/// Of fragment p < P in a round of H local steps: sent after ceil((p + 1) (H - tau)/P) of them, so
/// that all fragments arrive in the round.
FragmentTimes times_of(const StreamOptions& options, int p, int H);

/// One worker's part in such a stream. The worker has a point of its own, which is another one than
/// the global parameters between rounds, too.
class ParameterStream {
 public:
  /// The global parameters must outlive the stream, which moves them. The worker begins there.
  ParameterStream(const StreamOptions& options, Payload payload, std::span<float> x_global,
                  const OuterOptimizerFactory& make_outer_optimizer, Communicator& comm);

  /// Begins a round of H local steps: `x`, the worker's parameters, becomes its own point.
  void begin(int H, double learning_rate, std::span<float> x);

  /// After so many local steps of the round: sends the fragments that are due, and moves the global
  /// parameters and the worker's by those that arrive. Collective.
  void after_step(int steps, std::span<float> x);

  /// Ends the round: `x` becomes the global parameters.
  void end(std::span<float> x);

  /// Squared distance of the worker from the mean of all, each fragment when it was sent.
  double drift() const { return drift_; }
  double squared_residual() const;

  void visit_common_state(StateVisitor& visitor);
  void visit_own_state(StateVisitor& visitor);

 private:
  struct Fragment {
    Slice slice;
    ParameterAverage average;
    std::unique_ptr<OuterOptimizer> outer_optimizer;
  };

  void send(Fragment& fragment, std::span<const float> x);
  void receive(Fragment& fragment, std::span<float> x);

  StreamOptions options_;
  std::span<float> x_global_;
  Communicator& comm_;
  std::vector<Fragment> fragments_;
  std::vector<float> own_, sent_, mean_;

  // Of the round.
  int H_ = 1;
  double learning_rate_ = 0, drift_ = 0;
};

}  // namespace localbatch
