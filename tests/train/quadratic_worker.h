#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "core/random.h"
#include "core/vector_math.h"
#include "train/worker.h"

namespace localbatch {

/// A worker without network or data: F(x) = |x - target|^2 / 2 with gradient noise of standard
/// deviation `noise` per coordinate and sample, and heavy-ball momentum. All that happens to it can
/// be computed by hand.
class QuadraticWorker final : public Worker {
 public:
  struct Problem {
    std::vector<float> target;
    float noise = 0;
    std::uint64_t seed = 1;
    int micro_batch = 1 << 30;
    float momentum = 0;
    float curvature = 1;            ///< 0: the gradient is -target everywhere
    bool slopes_by_worker = false;  ///< every other worker has the negative of target
  };

  QuadraticWorker(const Problem& problem, int worker)
      : problem_(problem),
        x_(problem.target.size()),
        g_(x_.size()),
        velocity_(x_.size()),
        worker_(static_cast<std::uint64_t>(worker)),
        random_(problem.seed, Purpose::kTest, worker_) {
    if (!problem.slopes_by_worker || worker % 2 == 0) return;
    for (float& value : problem_.target) value = -value;
  }

  double local_step(int local_batch_size, double learning_rate, ChunkGradients* chunks) override {
    const int micro_batches = (local_batch_size - 1) / problem_.micro_batch + 1;
    if (chunks != nullptr) chunks->begin(local_batch_size, micro_batches);
    std::ranges::fill(g_, 0.0F);
    double loss = 0;
    for (int i = 0; i < micro_batches; ++i) {
      const int images =
          local_batch_size * (i + 1) / micro_batches - local_batch_size * i / micro_batches;
      loss = add_gradient(images, static_cast<double>(images) / local_batch_size, random_, g_);
      if (chunks != nullptr) chunks->add(images, g_);
    }
    for (std::size_t i = 0; i < x_.size(); ++i) {
      velocity_[i] = problem_.momentum * velocity_[i] + g_[i];
      x_[i] -= static_cast<float>(learning_rate) * velocity_[i];
    }
    steps_ += 1;
    return loss;
  }
  using Worker::local_step;

  void sample_gradients(const SampleRequest& request, const SampleSums& sums,
                        std::span<float> sum) override {
    RandomStream random(problem_.seed + 1, Purpose::kTest, worker_,
                        static_cast<std::uint32_t>(request.audit_round.value_or(-steps_ - 1)));
    std::ranges::fill(sum, 0.0F);
    for (std::size_t i = 0; i < static_cast<std::size_t>(request.count); ++i) {
      std::vector<float> mine(x_.size());
      add_gradient(1, 1, random, mine);
      if (!sums.squared_norms.empty()) sums.squared_norms[i] = squared_norm(mine);
      if (!sums.inner_products.empty())
        sums.inner_products[i] = inner_product(mine, sums.direction);
      const float weight = sums.weights.empty() ? 1 : static_cast<float>(sums.weights[i]);
      for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += weight * mine[j];
    }
  }

  std::span<float> parameters() override { return x_; }
  std::span<const float> gradient() const override { return g_; }
  void add_averaged_state(std::vector<Averaged>&) override {}
  void finish_synchronization() override { synchronizations_ += 1; }
  std::vector<TensorView> tensors() const override {
    return {{.name = "x", .dims = {static_cast<int>(x_.size())}, .size = x_.size()}};
  }

  int steps() const { return steps_; }
  int synchronizations() const { return synchronizations_; }

 private:
  /// Adds weight times the mean gradient of so many samples; returns their loss.
  double add_gradient(int samples, double weight, RandomStream& random,
                      std::vector<float>& gradient) const {
    double loss = 0;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      double noise = 0;
      for (int sample = 0; sample < samples && problem_.noise > 0; ++sample)
        noise += double{problem_.noise} * double{random.normal()} / samples;
      const double error = problem_.curvature * double{x_[i]} - double{problem_.target[i]};
      loss += error * error / 2;
      gradient[i] += static_cast<float>(weight * (error + noise));
    }
    return loss;
  }

  Problem problem_;
  std::vector<float> x_, g_, velocity_;
  std::uint64_t worker_;
  RandomStream random_;
  int steps_ = 0, synchronizations_ = 0;
};

}  // namespace localbatch
