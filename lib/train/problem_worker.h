#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "comm/communicator.h"
#include "core/aligned_buffer.h"
#include "optim/inner_optimizer.h"
#include "problems/problem.h"
#include "train/worker.h"

namespace localbatch {

/// What the workers of a process share.
struct ProblemSetup {
  const Problem& problem;
  bool trace = false;  ///< see ProblemFactory
  std::uint64_t seed = 1;
  InnerOptimizerFactory inner_optimizer;
  std::int64_t passed_over = 0;  ///< see WorkerSettings
};

/// A worker on an objective whose theory is known. Its evaluations tell where it stands.
class ProblemWorker final : public TrainingWorker {
 public:
  /// `comm` must outlive the worker, which uses it in local steps when they are traced.
  ProblemWorker(const ProblemSetup& setup, Communicator& comm);

  /// Collective when steps are traced.
  double local_step(int local_batch_size, double learning_rate, ChunkGradients* chunks) override;
  using Worker::local_step;
  /// Batches of one sample, computed one by one. Noise by formula is drawn anew for each.
  void sample_gradients(const SampleRequest& request, const SampleSums& sums,
                        std::span<float> sum) override;
  std::span<float> parameters() override { return parameters_.span(); }
  std::span<const float> gradient() const override { return gradient_.span(); }
  GradientLength gradient_length() const override { return gradient_length_; }
  void add_averaged_state(std::vector<Averaged>& averaged) override;
  void finish_synchronization() override;
  std::vector<TensorView> tensors() const override;

  /// The loss is F(x), and the gap is there.
  TestResult evaluate(Communicator& comm) override;
  FinalModel final_model(Communicator& comm) override;
  void visit_state(StateVisitor& visitor) override;
  const WorkerSeconds& seconds() const override { return seconds_; }

 private:
  /// Adds what is true of the workers' mean point before a local step to the sums of worker 0.
  void trace_mean_point();

  const ProblemSetup& setup_;
  Communicator& comm_;
  std::unique_ptr<InnerOptimizer> inner_optimizer_;
  AlignedBuffer<float> parameters_, gradient_;
  GradientLength gradient_length_;
  std::vector<double> exact_gradient_;
  std::vector<float> mean_point_;
  std::int64_t samples_ = 0;       ///< drawn so far
  std::int64_t traced_steps_ = 0;  ///< terms of the two sums
  double suboptimality_sum_ = 0, squared_gradient_norm_sum_ = 0;
  WorkerSeconds seconds_;
};

}  // namespace localbatch
