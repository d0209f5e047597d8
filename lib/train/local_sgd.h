#pragma once

namespace localbatch {

class Meter;
class Synchronizer;
class Worker;
struct LocalSgd;
struct Progress;
struct Request;
struct RoundRecord;

enum class Outcome { kFinished, kDiverged, kStopped };

/// Whoever runs the method; every worker has one of its own.
class RunObserver {
 public:
  virtual ~RunObserver() = default;

  /// What this worker asks for at the end of the round under way.
  virtual Request request() = 0;

  /// Called after every round; may use the communicator.
  virtual void on_round(const RoundRecord& round) = 0;
};

/// Local SGD with adaptive local batch sizes (method.md 1.3), as one of M workers sees it: rounds
/// of H local steps, an average of the parameters, and a test that may let the local batch grow.
/// Starts where `at` says and keeps it up to date. Ends early, as kDiverged, after a round whose
/// loss or parameters are not finite, and, as kStopped, after a round in which a worker asks for
/// it. All workers must start with equal parameters.
Outcome local_sgd(const LocalSgd& method, Worker& worker, Meter& meter, Synchronizer& all_workers,
                  Progress& at, RunObserver& run);

}  // namespace localbatch
