#include "train/worker_state.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/state.h"
#include "core/vector_math.h"

namespace localbatch {

ParameterLayout layout_of(std::span<const TensorView> tensors) {
  ParameterLayout layout{.size = total_size(tensors)};
  for (const TensorView& tensor : tensors) {
    if (tensor.dims.size() < 2)
      layout.vectors.push_back({.first = tensor.offset, .size = tensor.size});
    if (tensor.hidden_matrix) {
      const auto rows = static_cast<std::size_t>(tensor.dims.front());
      layout.hidden_matrices.push_back({.first = tensor.offset,
                                        .rows = rows,
                                        .columns = tensor.size / rows,
                                        .block = static_cast<std::size_t>(tensor.interleaved)});
    }
  }
  return layout;
}

GradientLength take_step(InnerOptimizer& optimizer, double clip_norm, std::span<float> parameters,
                         std::span<const float> gradient, double learning_rate,
                         const ParallelFor& parallel_for) {
  const double norm = std::sqrt(squared_norm(gradient, parallel_for));
  const double factor = clip_factor(norm, clip_norm);
  optimizer.step(parameters, gradient, {.learning_rate = learning_rate, .gradient_factor = factor},
                 parallel_for);
  return {.norm = norm, .clipped = factor < 1};
}

void add_averaged_state(InnerOptimizer& optimizer, StatePolicy policy,
                        std::vector<Averaged>& averaged) {
  if (policy == StatePolicy::kAverage && !optimizer.state().empty())
    averaged.push_back(
        {.mine = optimizer.state(), .mean = optimizer.state(), .traffic = Traffic::kState});
}

void finish_synchronization(InnerOptimizer& optimizer, StatePolicy policy) {
  if (policy != StatePolicy::kReset) return;
  std::ranges::fill(optimizer.state(), 0.0F);
  optimizer.steps() = 0;
}

void visit_inner_optimizer(StateVisitor& visitor, InnerOptimizer& optimizer) {
  visitor.visit("optimizer.state", optimizer.state());
  visitor.visit("optimizer.steps", optimizer.steps());
}

NetworkState::NetworkState(const InnerOptimizerFactory& optimizer,
                           const BatchNormAtSync& batch_norm, const ParameterLayout& parameters,
                           std::vector<TensorView> moments)
    : optimizer_at_sync_(optimizer.at_sync),
      batch_norm_(batch_norm),
      optimizer_(optimizer.make(parameters)),
      moment_tensors_(std::move(moments)),
      moments_(total_size(moment_tensors_)) {}

void NetworkState::add_averaged(std::vector<Averaged>& averaged) {
  add_averaged_state(*optimizer_, optimizer_at_sync_, averaged);
  if (batch_norm_.policy == BatchNormAtSync::Policy::kAverage && moments_.size() > 0)
    averaged.push_back(
        {.mine = moments_.span(), .mean = moments_.span(), .traffic = Traffic::kState});
}

std::vector<TensorView> NetworkState::averaged_tensors() {
  std::vector<Averaged> arrays;
  add_averaged(arrays);
  std::vector<TensorView> tensors;
  std::size_t offset = 0;
  for (const Averaged& array : arrays) {
    const std::size_t size = array.mine.size();
    if (array.mine.data() == moments_.data()) {
      for (const TensorView& tensor : moment_tensors_)
        tensors.emplace_back(tensor).offset += offset;
    } else {
      tensors.push_back({.name = "the state of the inner optimizer",
                         .dims = {static_cast<int>(size)},
                         .offset = offset,
                         .size = size});
    }
    offset += size;
  }
  return tensors;
}

void NetworkState::finish_synchronization() {
  localbatch::finish_synchronization(*optimizer_, optimizer_at_sync_);
}

void NetworkState::visit_state(StateVisitor& visitor, std::int64_t& drawn) {
  visit_inner_optimizer(visitor, *optimizer_);
  visitor.visit("moments", moments_.span());
  visitor.visit("drawn", drawn);
}

std::vector<float> NetworkState::evaluated_moments(Communicator& comm,
                                                   const Measure& measure) const {
  std::vector<float> mean(moments_.size());
  if (batch_norm_.policy != BatchNormAtSync::Policy::kRecompute) {
    comm.average(moments_.span(), mean, Traffic::kEvaluation);
    return mean;
  }
  std::vector<double> sums = measure();
  comm.sum(sums, Traffic::kEvaluation);
  std::ranges::transform(sums, mean.begin(),
                         [&](double sum) { return static_cast<float>(sum / batch_norm_.batches); });
  return mean;
}

std::vector<Evaluation> NetworkState::evaluate(Communicator& comm, const Measure& measure,
                                               const Test& test) const {
  std::vector<float> moments = evaluated_moments(comm, measure);
  std::vector<Evaluation> sets = test(moments);
  std::vector<double> sums;
  for (const Evaluation& mine : sets)
    sums.insert(sums.end(), {mine.loss_sum, static_cast<double>(mine.correct),
                             static_cast<double>(mine.count)});
  comm.sum(sums, Traffic::kEvaluation);
  for (std::size_t i = 0; i < sets.size(); ++i)
    sets[i] = {.loss_sum = sums[3 * i],
               .correct = static_cast<std::int64_t>(sums[3 * i + 1]),
               .count = static_cast<std::int64_t>(sums[3 * i + 2])};
  return sets;
}

BatchNormAtSync read_batch_norm_at_sync(Options& options) {
  using Policy = BatchNormAtSync::Policy;
  BatchNormAtSync read;
  read.policy = options.choice<Policy>(
      "batch_norm_at_sync",
      {.fallback = Policy::kAverage,
       .choices = {{"average", Policy::kAverage},
                   {"local", Policy::kLocal},
                   {"reset", Policy::kReset},
                   {"recompute", Policy::kRecompute}},
       .meaning = "running statistics of batch norm at a synchronization: averaged over the "
                  "workers, each worker's own (evaluated with their mean), reset in every round, "
                  "or local and computed anew on training images before every evaluation"});
  read.batches = options.integer<int>(
      "batch_norm_batches",
      {.fallback = 128,
       .min = 1,
       .max = 1'000'000,
       .meaning = "micro-batches, of all workers together, that batch_norm_at_sync: recompute "
                  "takes (128 as in the code of Gu et al. 2024)"});
  return read;
}

}  // namespace localbatch
