#include "train/network_worker.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "core/vector_math.h"

namespace localbatch {

namespace {

Sampler make_sampler(const TrainingSetup& setup, int worker, int num_workers) {
  if (setup.shares) return {(*setup.shares)[static_cast<std::size_t>(worker)], worker, setup.seed};
  return {static_cast<std::uint32_t>(setup.dataset.train_size()), worker, num_workers, setup.seed};
}

}  // namespace

NetworkWorker::NetworkWorker(const TrainingSetup& setup, SlotPool& slots, int worker,
                             int num_workers)
    : setup_(setup),
      slots_(slots),
      worker_(worker),
      sampler_(make_sampler(setup, worker, num_workers)),
      parameters_(setup.model.parameter_count()),
      gradient_(parameters_.size()),
      state_(setup.inner_optimizer, setup.batch_norm_at_sync,
             layout_of(setup.model.parameter_tensors()), setup.model.running_moment_tensors()),
      draws_(static_cast<std::size_t>(setup.micro_batch)) {
  sampler_.pass_over(setup.passed_over);
  setup.model.initialize_running_moments(state_.moments());
  if (setup.initial != nullptr) {
    slots_.borrow()->network().from_canonical(setup.initial->parameters, parameters_.span());
    std::ranges::copy(setup.initial->running_moments, state_.moments().begin());
    return;
  }
  std::vector<float> canonical(parameters_.size());
  setup.model.initialize_parameters(setup.seed, canonical);
  slots_.borrow()->network().from_canonical(canonical, parameters_.span());
}

SlotPool::Lease NetworkWorker::borrow_slot() {
  const Stopwatch::Scope timed(seconds_.slot);
  return slots_.borrow();
}

Batch NetworkWorker::fill_training(ExecutionSlot& slot, std::span<const Draw> draws) {
  const Stopwatch::Scope timed(seconds_.data);
  return slot.fill_training(setup_.dataset, draws, setup_.seed);
}

// ---- Local steps and synchronizations ----

void NetworkWorker::begin_round() {
  round_begins_ = false;
  if (setup_.batch_norm_at_sync.policy == BatchNormAtSync::Policy::kReset)
    setup_.model.initialize_running_moments(state_.moments());
}

double NetworkWorker::local_step(int local_batch_size, double learning_rate,
                                 ChunkGradients* chunks) {
  if (round_begins_) begin_round();
  const SlotPool::Lease slot = borrow_slot();
  Network& network = slot->network();
  network.load(parameters_.span(), state_.moments());
  if (chunks != nullptr) chunks->begin(local_batch_size, count_micro_batches(local_batch_size));
  double loss = 0;
  GradientUse use = GradientUse::kReplace;
  for_each_micro_batch(local_batch_size, [&](int count) {
    const auto draws = std::span(draws_).first(static_cast<std::size_t>(count));
    sampler_.draw(draws);
    const double weight = static_cast<double>(count) / local_batch_size;
    loss += weight * compute_gradient(network, fill_training(*slot, draws), weight, use);
    use = GradientUse::kAdd;
    if (chunks == nullptr) return;
    const Stopwatch::Scope timed(seconds_.statistics);
    chunks->add(count, gradient_.span());
  });
  descend(learning_rate, network.parallel_for());
  return loss;
}

void NetworkWorker::descend(double learning_rate, const ParallelFor& parallel_for) {
  const Stopwatch::Scope timed(seconds_.optimizer);
  gradient_length_ = take_step(state_.optimizer(), setup_.inner_optimizer.clip_norm,
                               parameters_.span(), gradient_.span(), learning_rate, parallel_for);
}

double NetworkWorker::compute_gradient(Network& network, const Batch& batch, double weight,
                                       GradientUse use) {
  const Stopwatch::Scope timed(seconds_.gradient);
  const double forward = network.forward_seconds(), backward = network.backward_seconds();
  const double loss = network.train(batch, weight, gradient_.span(), use);
  seconds_.forward += network.forward_seconds() - forward;
  seconds_.backward += network.backward_seconds() - backward;
  return loss;
}

void NetworkWorker::finish_synchronization() {
  state_.finish_synchronization();
  round_begins_ = true;
}

void NetworkWorker::visit_state(StateVisitor& visitor) {
  std::int64_t drawn = sampler_.drawn();
  state_.visit_state(visitor, drawn);
  sampler_.restore(drawn);
}

// ---- Gradients beside local steps ----

std::vector<Draw> NetworkWorker::draws_of(const SampleRequest& request) const {
  const auto count =
      static_cast<std::size_t>(request.count) * static_cast<std::size_t>(request.samples_each);
  if (request.audit_round) return audit_draws(*request.audit_round, count);
  std::vector<Draw> draws(count);
  Sampler ahead = sampler_;
  ahead.draw(draws);
  return draws;
}

std::vector<Draw> NetworkWorker::audit_draws(std::int64_t round, std::size_t count) const {
  // Epochs that no training reaches, so that an audit's samples are augmented in their own way.
  constexpr std::uint32_t kFirstAuditEpoch = 1U << 31;
  const std::uint32_t epoch = kFirstAuditEpoch + static_cast<std::uint32_t>(round);
  RandomStream random(setup_.seed, Purpose::kAudit, static_cast<std::uint64_t>(round),
                      static_cast<std::uint32_t>(worker_));
  std::vector<Draw> draws(count);
  if (setup_.shares) {
    const std::vector<std::uint32_t>& share = (*setup_.shares)[static_cast<std::size_t>(worker_)];
    const auto size = static_cast<std::uint32_t>(share.size());
    for (Draw& draw : draws) draw = {.epoch = epoch, .sample = share[random.below(size)]};
  } else {
    const auto size = static_cast<std::uint32_t>(setup_.dataset.train_size());
    for (Draw& draw : draws) draw = {.epoch = epoch, .sample = random.below(size)};
  }
  return draws;
}

void NetworkWorker::sample_gradients(const SampleRequest& request, const SampleSums& sums,
                                     std::span<float> sum) {
  if (request.samples_each == 1)
    pass_over_samples(request, sums, sum);
  else
    pass_over_micro_batches(request, sums, sum);
}

void NetworkWorker::pass_over_samples(const SampleRequest& request, const SampleSums& sums,
                                      std::span<float> sum) {
  const std::vector<Draw> draws = draws_of(request);
  const SlotPool::Lease slot = borrow_slot();
  slot->network().load(parameters_.span(), state_.moments());
  std::size_t first = 0;
  GradientUse use = GradientUse::kReplace;
  for_each_micro_batch(request.count, [&](int samples) {
    const auto count = static_cast<std::size_t>(samples);
    const auto part = [&](auto all) { return all.empty() ? all : all.subspan(first, count); };
    const Batch batch = fill_training(*slot, std::span(draws).subspan(first, count));
    const Stopwatch::Scope timed(seconds_.statistics);
    slot->network().sample_gradients(batch, sum, use,
                                     {.squared_norms = part(sums.squared_norms),
                                      .inner_products = part(sums.inner_products),
                                      .direction = sums.direction,
                                      .weights = part(sums.weights)});
    use = GradientUse::kAdd;
    first += count;
  });
}

/// Computes them as a local step does, but leaves the worker's running moments alone.
void NetworkWorker::pass_over_micro_batches(const SampleRequest& request, const SampleSums& sums,
                                            std::span<float> sum) {
  const std::vector<Draw> draws = draws_of(request);
  const auto size = static_cast<std::size_t>(request.samples_each);
  std::vector<float> moments(state_.moments().begin(), state_.moments().end());
  std::ranges::fill(sum, 0.0F);
  const SlotPool::Lease slot = borrow_slot();
  slot->network().load(parameters_.span(), moments);
  for (std::size_t i = 0; i < static_cast<std::size_t>(request.count); ++i) {
    const Batch batch = fill_training(*slot, std::span(draws).subspan(i * size, size));
    const Stopwatch::Scope timed(seconds_.statistics);
    const std::span<float> g = gradient_.span();
    slot->network().train(batch, 1, g, GradientUse::kReplace);
    if (!sums.squared_norms.empty()) sums.squared_norms[i] = squared_norm(g);
    if (!sums.inner_products.empty()) sums.inner_products[i] = inner_product(g, sums.direction);
    const float weight = sums.weights.empty() ? 1 : static_cast<float>(sums.weights[i]);
    for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += weight * g[j];
  }
}

int NetworkWorker::independent_samples(int local_batch_size) const {
  if (state_.moments().empty()) return 1;
  const int micro_batches = count_micro_batches(local_batch_size);
  return (local_batch_size + micro_batches - 1) / micro_batches;
}

void NetworkWorker::samples_in_batch(const SampleRequest& request,
                                     std::span<double> squared_norms) {
  const std::vector<Draw> draws = draws_of(request);
  const auto size = static_cast<std::size_t>(request.samples_each);
  const SlotPool::Lease slot = borrow_slot();
  slot->network().load(parameters_.span(), state_.moments());
  for (std::size_t first = 0; first < draws.size(); first += size) {
    const Batch batch = fill_training(*slot, std::span(draws).subspan(first, size));
    const Stopwatch::Scope timed(seconds_.statistics);
    slot->network().sample_gradients(batch, {}, GradientUse::kReplace,
                                     {.squared_norms = squared_norms.subspan(first, size)});
  }
}

// ---- Evaluations ----

std::vector<float> NetworkWorker::evaluated_moments(Communicator& comm) {
  return state_.evaluated_moments(
      comm, [&] { return measured_moments(comm.worker(), comm.num_workers()); });
}

/// The batches are the same in every evaluation, so that only the model makes a difference, and
/// dealt to the workers in turn.
std::vector<double> NetworkWorker::measured_moments(int worker, int num_workers) {
  // An epoch that no training reaches.
  constexpr std::uint32_t kEpoch = 1U << 30;
  std::vector<float> moments(state_.moments().size());
  std::vector<double> sums(moments.size());
  const SlotPool::Lease slot = borrow_slot();
  slot->network().load(parameters_.span(), moments);
  std::vector<Draw> draws(static_cast<std::size_t>(setup_.micro_batch));
  const auto size = static_cast<std::uint32_t>(setup_.dataset.train_size());
  for (int batch = worker; batch < setup_.batch_norm_at_sync.batches; batch += num_workers) {
    RandomStream random(setup_.seed, Purpose::kBatchNorm, static_cast<std::uint64_t>(batch));
    for (Draw& draw : draws) draw = {.epoch = kEpoch, .sample = random.below(size)};
    slot->network().measure_moments(fill_training(*slot, draws));
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += double{moments[i]};
  }
  return sums;
}

namespace {

double mean_loss(const Evaluation& found, std::string_view set, const Dataset& dataset) {
  if (found.count == 0) fail_system("all {} of the {} set are damaged", dataset.unit(), set);
  return found.loss_sum / static_cast<double>(found.count);
}

/// What targets are depends on the data set: classes of images, or tokens.
TestResult test_result(const Evaluation& found, const Dataset& dataset) {
  TestResult result{.loss = mean_loss(found, "test", dataset), .correct = found.correct};
  if (dataset.sample_shape().window() == nullptr) {
    result.images = found.count;
    return result;
  }
  result.tokens = found.count;
  if (dataset.bytes_per_target() > 0) result.bytes_per_token = dataset.bytes_per_target();
  return result;
}

}  // namespace

TestResult NetworkWorker::evaluate(Communicator& comm) {
  const std::vector<Evaluation> found = state_.evaluate(
      comm, [&] { return measured_moments(comm.worker(), comm.num_workers()); },
      [&](std::span<float> moments) {
        return evaluate_shares(moments, comm.worker(), comm.num_workers());
      });
  TestResult result = test_result(found[0], setup_.dataset);
  if (found.size() > 1)
    result.validation = SetResult{.loss = mean_loss(found[1], "validation", setup_.dataset),
                                  .correct = found[1].correct,
                                  .targets = found[1].count};
  return result;
}

std::vector<Evaluation> NetworkWorker::evaluate_shares(std::span<float> moments, int worker,
                                                       int num_workers) {
  const SlotPool::Lease slot = slots_.borrow();
  slot->network().load(parameters_.span(), moments);
  const Dataset& dataset = setup_.dataset;
  const auto micro_batch = static_cast<std::size_t>(setup_.micro_batch);
  const auto share = [&](EvaluatedSet set, std::int64_t most) {
    const EvaluatedSamples samples(dataset.size_of(set), most);
    const std::size_t size = samples.size();
    const std::size_t stride = static_cast<std::size_t>(num_workers) * micro_batch;
    Evaluation sum;
    for (std::size_t first = static_cast<std::size_t>(worker) * micro_batch; first < size;
         first += stride) {
      const Batch batch =
          slot->fill_evaluated(dataset, set, samples, first, std::min(micro_batch, size - first));
      if (batch.samples == 0) continue;
      sum += slot->network().evaluate(batch);
    }
    return sum;
  };
  std::vector<Evaluation> shares{share(EvaluatedSet::kTest, setup_.max_test_samples)};
  if (dataset.validation_size() > 0) shares.push_back(share(EvaluatedSet::kValidation, 0));
  return shares;
}

FinalModel NetworkWorker::final_model(Communicator& comm) {
  const std::vector<float> moments = evaluated_moments(comm);
  if (comm.worker() != 0) return {};
  FinalModel final{.tensors = setup_.model.parameter_tensors(), .values = {}};
  for (TensorView tensor : setup_.model.running_moment_tensors()) {
    tensor.offset += parameters_.size();
    final.tensors.push_back(std::move(tensor));
  }
  final.values.resize(parameters_.size());
  slots_.borrow()->network().to_canonical(parameters_.span(), final.values);
  final.values.insert(final.values.end(), moments.begin(), moments.end());
  return final;
}

}  // namespace localbatch
