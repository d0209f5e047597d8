#pragma once

#include <memory>
#include <span>
#include <vector>

#include "comm/mean_tree.h"
#include "train/global_parameters.h"
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
class ParameterStream final : public GlobalParameters {
 public:
  /// The method has stream options.
  ParameterStream(const LocalSgd& method, std::span<const float> x,
                  const OuterOptimizerFactory& make_outer_optimizer, Communicator& comm);

  /// `x` becomes the worker's own point.
  void begin(const RoundPlan& round, std::span<float> x) override;

  /// Sends the fragments that are due, and moves the global parameters and the worker's by those
  /// that arrive.
  void after_step(int steps, std::span<float> x) override;

  Exchange meet(std::span<const float> /*x*/) override { return {}; }
  void finish() override {}
  std::span<const float> mean() const override { return {}; }
  double drift(std::span<const float> /*x*/) const override { return drift_; }
  double squared_residual() const override;
  void move(std::span<float> x) override;

  void visit_common_state(StateVisitor& visitor) override;
  void visit_own_state(StateVisitor& visitor) override;

 private:
  struct Fragment {
    Slice slice;
    ParameterAverage average;
    std::unique_ptr<OuterOptimizer> outer_optimizer;
  };

  void send(Fragment& fragment, std::span<const float> x);
  void receive(Fragment& fragment, std::span<float> x);

  StreamOptions options_;
  Communicator& comm_;
  std::vector<Fragment> fragments_;
  std::vector<float> own_, sent_, mean_;

  // Of the round.
  int H_ = 1;
  OuterStep outer_step_;
  double drift_ = 0;
};

}  // namespace localbatch
