#pragma once

#include <span>
#include <vector>

#include "core/random.h"
#include "train/worker.h"

namespace localbatch {

/// A worker without network or data: F(x) = |x - target|^2 / 2 with gradient noise of standard
/// deviation `noise` per coordinate and sample. All that happens to it can be computed by hand.
class QuadraticWorker final : public Worker {
 public:
  struct Problem {
    std::vector<float> target;
    float noise = 0;
    std::uint64_t seed = 1;
  };

  QuadraticWorker(const Problem& problem, int worker)
      : problem_(problem),
        x_(problem.target.size()),
        g_(x_.size()),
        random_(problem.seed, Purpose::kTest, static_cast<std::uint64_t>(worker)) {}

  double local_step(int local_batch_size, double learning_rate) override {
    double loss = 0;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      double noise = 0;
      for (int sample = 0; sample < local_batch_size && problem_.noise > 0; ++sample)
        noise += double{problem_.noise} * double{random_.normal()} / local_batch_size;
      const double error = double{x_[i]} - double{problem_.target[i]};
      loss += error * error / 2;
      g_[i] = static_cast<float>(error + noise);
      x_[i] -= static_cast<float>(learning_rate) * g_[i];
    }
    steps_ += 1;
    return loss;
  }

  std::span<float> parameters() override { return x_; }
  std::span<const float> gradient() const override { return g_; }
  void synchronize_state(Communicator&) override { synchronizations_ += 1; }

  int steps() const { return steps_; }
  int synchronizations() const { return synchronizations_; }

 private:
  Problem problem_;
  std::vector<float> x_, g_;
  RandomStream random_;
  int steps_ = 0, synchronizations_ = 0;
};

}  // namespace localbatch
