#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/execution.h"
#include "nn/model.h"
#include "nn/network.h"
#include "optim/inner_optimizer.h"
#include "train/worker.h"

namespace localbatch {

struct Alphabet;

/// What a task needs to know of the rest of an experiment.
struct WorkerSettings {
  int num_workers = 1;
  int threads = 1;  ///< that work on a local step of one worker
  std::uint64_t seed = 1;
  std::int64_t max_samples = 0;
  std::int64_t max_test_samples = 0;  ///< of an evaluation; 0: all
  std::int64_t passed_over = 0;       ///< samples of its data that each worker does not see
  bool only_outline = false;          ///< nobody will compute: data of known sizes need not be read
  InnerOptimizerFactory inner_optimizer;
};

/// A network, and how its micro-batches are computed.
struct NetworkFacts {
  std::shared_ptr<const Model> model;
  ExecutionOptions execution;
  std::shared_ptr<const Alphabet> alphabet = {};  ///< null unless tokens are bytes
};

/// What is known of an objective that is not a network's; see ProblemFacts.
struct KnownObjective {
  double smoothness = 0, strong_convexity = 0;
  double minimum = 0;                                   ///< F*
  double initial_suboptimality = 0;                     ///< F(x_0) - F*
  std::optional<double> initial_squared_distance = {};  ///< |x_0 - x*|^2
};

/// What is known of a task before its first local step.
struct TaskFacts {
  std::string summary = {};  ///< what the parameters are fitted to, for a person
  std::size_t parameters = 0;
  std::size_t running_moments = 0;  ///< numbers of batch norm beside the parameters
  std::size_t train_samples = 0, test_samples = 0;
  std::size_t evaluated_samples = 0;   ///< of the test samples, in each evaluation
  std::size_t validation_samples = 0;  ///< held out, and looked at in each evaluation as well
  int tokens_per_sample = 0;           ///< 0: samples are no texts
  std::int64_t epoch_samples = 0;
  std::optional<NetworkFacts> network = {};      ///< where a network is trained
  std::optional<KnownObjective> objective = {};  ///< where the minimum is known
};

/// A part of a process's memory.
struct MemoryPart {
  std::string name;
  std::size_t bytes = 0;
};

/// What a run trains, with everything that the workers of one process share. Making one loads data
/// and checks that the parts fit together; large things are allocated later.
class Task {
 public:
  virtual ~Task() = default;

  virtual TaskFacts facts() const = 0;

  /// A checksum of all that is read from files or generated.
  virtual std::uint64_t data_checksum() const = 0;

  /// What has gone wrong since this was last called without ending the run, a line each.
  virtual std::vector<std::string> take_warnings() { return {}; }

  /// The memory that so many workers take in a process beside their arrays of parameters, gradients
  /// and state, when `slots` of them compute at the same time.
  virtual std::vector<MemoryPart> memory(int hosted_workers, int slots) const = 0;

  /// Allocates what local steps take, for as many of this process's workers at the same time as
  /// `cores` have threads for, and returns that number. To be called before make_worker().
  virtual int allocate(int hosted_workers, int cores) = 0;

  /// Makes the worker that `comm` belongs to. The task must outlive it.
  virtual std::unique_ptr<TrainingWorker> make_worker(Communicator& comm) = 0;

  /// Makes one with the arrays and the meetings of such a worker, which need not compute and for
  /// which nothing is allocated.
  virtual std::unique_ptr<TrainingWorker> make_dry_worker(Communicator& comm) const = 0;
};

}  // namespace localbatch
