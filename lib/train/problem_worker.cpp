#include "train/problem_worker.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "core/error.h"
#include "train/worker_state.h"

namespace localbatch {

namespace {

double squared_norm(std::span<const double> x) {
  return std::inner_product(x.begin(), x.end(), x.begin(), 0.0);
}

std::vector<TensorView> tensors_of(const Problem& problem) {
  const std::size_t size = problem.dimension();
  return {{.name = "x", .dims = {static_cast<int>(size)}, .size = size}};
}

}  // namespace

ProblemWorker::ProblemWorker(const ProblemSetup& setup, Communicator& comm)
    : setup_(setup),
      comm_(comm),
      inner_optimizer_(setup.inner_optimizer.make(layout_of(tensors_of(setup.problem)))),
      parameters_(setup.problem.dimension()),
      gradient_(setup.problem.dimension()),
      exact_gradient_(setup.problem.dimension()),
      mean_point_(setup.trace ? setup.problem.dimension() : 0) {
  setup.problem.initial_point(parameters_.span());
}

double ProblemWorker::local_step(int local_batch_size, double learning_rate,
                                 ChunkGradients* chunks) {
  check(chunks == nullptr, "a problem has no micro-batches");
  if (setup_.trace) trace_mean_point();
  double loss = 0;
  {
    const Stopwatch::Scope timed(seconds_.gradient);
    loss = setup_.problem.sampled_gradient(parameters_.span(),
                                           {.seed = setup_.seed,
                                            .worker = comm_.worker(),
                                            .first = setup_.passed_over + samples_,
                                            .size = local_batch_size},
                                           exact_gradient_);
    std::ranges::transform(exact_gradient_, gradient_.data(),
                           [](double g) { return static_cast<float>(g); });
  }
  samples_ += local_batch_size;
  const Stopwatch::Scope timed(seconds_.optimizer);
  gradient_length_ =
      take_step(*inner_optimizer_, setup_.inner_optimizer.clip_norm, parameters_.span(),
                gradient_.span(), learning_rate, for_on_this_thread);
  return loss;
}

void ProblemWorker::sample_gradients(const SampleRequest& request, const SampleSums& sums,
                                     std::span<float> sum) {
  const Stopwatch::Scope timed(seconds_.statistics);
  check(request.samples_each == 1, "the samples of a problem are independent");
  // Samples that no training reaches are an audit's own.
  constexpr std::int64_t kFirstAudited = std::int64_t{1} << 60;
  const std::int64_t first = request.audit_round
                                 ? kFirstAudited + *request.audit_round * request.count
                                 : setup_.passed_over + samples_;
  std::vector<double> total(sum.size());
  for (int sample = 0; sample < request.count; ++sample) {
    const auto i = static_cast<std::size_t>(sample);
    const std::vector<double>& g = exact_gradient_;
    setup_.problem.sampled_gradient(
        parameters_.span(),
        {.seed = setup_.seed, .worker = comm_.worker(), .first = first + sample, .size = 1},
        exact_gradient_);
    if (!sums.squared_norms.empty()) sums.squared_norms[i] = squared_norm(g);
    if (!sums.inner_products.empty())
      sums.inner_products[i] = std::inner_product(g.begin(), g.end(), sums.direction.begin(), 0.0);
    const double weight = sums.weights.empty() ? 1 : sums.weights[i];
    for (std::size_t j = 0; j < total.size(); ++j) total[j] += weight * g[j];
  }
  std::ranges::transform(total, sum.begin(), [](double g) { return static_cast<float>(g); });
}

void ProblemWorker::trace_mean_point() {
  comm_.average(parameters_.span(), mean_point_, Traffic::kEvaluation);
  ++traced_steps_;
  if (comm_.worker() != 0) return;
  suboptimality_sum_ +=
      setup_.problem.value(mean_point_, exact_gradient_) - setup_.problem.facts().minimum;
  squared_gradient_norm_sum_ += squared_norm(exact_gradient_);
}

void ProblemWorker::add_averaged_state(std::vector<Averaged>& averaged) {
  localbatch::add_averaged_state(*inner_optimizer_, setup_.inner_optimizer.at_sync, averaged);
}

void ProblemWorker::finish_synchronization() {
  localbatch::finish_synchronization(*inner_optimizer_, setup_.inner_optimizer.at_sync);
}

std::vector<TensorView> ProblemWorker::tensors() const { return tensors_of(setup_.problem); }

TestResult ProblemWorker::evaluate(Communicator& comm) {
  // All workers stand at the same point; worker 0 tells the others what it finds there.
  const std::span<const float> x = parameters_.span();
  const bool has_minimizer = !setup_.problem.facts().minimizer.empty();
  std::array<double, 5> found{};
  if (comm.worker() == 0) {
    found[0] = setup_.problem.value(x, exact_gradient_);
    found[1] = squared_norm(exact_gradient_);
    found[2] = setup_.problem.squared_distance(x).value_or(0);
    found[3] = suboptimality_sum_;
    found[4] = squared_gradient_norm_sum_;
  }
  comm.sum(found, Traffic::kEvaluation);
  ObjectiveGap gap{.suboptimality = found[0] - setup_.problem.facts().minimum,
                   .squared_gradient_norm = found[1]};
  if (has_minimizer) gap.squared_distance = found[2];
  if (traced_steps_ > 0) {
    gap.mean_suboptimality = found[3] / static_cast<double>(traced_steps_);
    gap.mean_squared_gradient_norm = found[4] / static_cast<double>(traced_steps_);
  }
  return {.loss = found[0], .gap = gap};
}

FinalModel ProblemWorker::final_model(Communicator& comm) {
  if (comm.worker() != 0) return {};
  const std::span<const float> x = parameters_.span();
  return {.tensors = tensors(), .values = {x.begin(), x.end()}};
}

void ProblemWorker::visit_state(StateVisitor& visitor) {
  visit_inner_optimizer(visitor, *inner_optimizer_);
  visitor.visit("samples", samples_);
  visitor.visit("traced_steps", traced_steps_);
  visitor.visit("suboptimality_sum", suboptimality_sum_);
  visitor.visit("squared_gradient_norm_sum", squared_gradient_norm_sum_);
}

}  // namespace localbatch
