#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "train/worker.h"
#include "train/worker_state.h"

namespace localbatch {

// A dry run goes through the real loop, meter, synchronizer and evaluation, so that what it counts
// is what a run will do; but nothing is computed, and nobody else is there.

/// An Exchange without its numbers.
struct Meeting {
  struct Array {
    std::size_t length = 0;
    Traffic traffic = Traffic::kParameters;
    Payload payload = Payload::kFloat32;

    friend bool operator==(const Array&, const Array&) = default;
  };
  std::vector<Array> averaged = {};
  std::size_t numbers = 0;              ///< that each worker tells all others
  Traffic traffic = Traffic::kControl;  ///< of these numbers
  bool in_background = false;           ///< while workers compute, who tell no numbers there

  friend bool operator==(const Meeting&, const Meeting&) = default;
};

/// Worker 0 among workers that all have what it has. Writes down every exchange.
class DryCommunicator final : public Communicator {
 public:
  explicit DryCommunicator(int num_workers) : num_workers_(num_workers) {}

  int worker() const override { return 0; }
  int num_workers() const override { return num_workers_; }
  void exchange(const Exchange& what) override;
  void start_average(const Averaged& what) override;
  void finish_average() override {}
  void gather(std::span<const std::byte>,
              const std::function<void(int, std::span<const std::byte>)>&) override {}
  Bytes scatter(const std::function<Bytes(int)>&) override { return {}; }
  double waited_seconds() const override { return 0; }
  Ledger ledger() const override { return {}; }

  /// Those since the last call.
  std::vector<Meeting> take_meetings() { return std::exchange(meetings_, {}); }

 private:
  int num_workers_;
  std::vector<Meeting> meetings_;
};

/// A worker on a network whose arrays have the right lengths and hold nothing but zeros.
class DryNetworkWorker final : public TrainingWorker {
 public:
  /// What a NetworkWorker has; `evaluated_sets` are those that an evaluation looks at.
  DryNetworkWorker(const InnerOptimizerFactory& optimizer, const BatchNormAtSync& batch_norm,
                   std::vector<TensorView> parameters, std::vector<TensorView> moments,
                   std::size_t evaluated_sets);

  double local_step(int local_batch_size, double learning_rate, ChunkGradients* chunks) override;
  std::span<float> parameters() override { return zeros_; }
  std::span<const float> gradient() const override { return zeros_; }
  GradientLength gradient_length() const override { return {}; }
  void sample_gradients(const SampleRequest&, const SampleSums&, std::span<float>) override {}
  void samples_in_batch(const SampleRequest&, std::span<double>) override {}
  void add_averaged_state(std::vector<Averaged>& averaged) override {
    state_.add_averaged(averaged);
  }
  std::vector<TensorView> averaged_state_tensors() override { return state_.averaged_tensors(); }
  void finish_synchronization() override { state_.finish_synchronization(); }
  std::vector<TensorView> tensors() const override { return tensors_; }

  TestResult evaluate(Communicator& comm) override;
  FinalModel final_model(Communicator& comm) override;
  void visit_state(StateVisitor& visitor) override;
  const WorkerSeconds& seconds() const override { return seconds_; }

 private:
  std::vector<double> no_moments() { return std::vector<double>(state_.moments().size()); }

  std::vector<TensorView> tensors_;
  std::vector<float> zeros_;  ///< parameters and gradient in one
  NetworkState state_;
  std::size_t evaluated_sets_;
  WorkerSeconds seconds_;
};

}  // namespace localbatch
