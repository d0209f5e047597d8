#include "train/network_worker.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "core/vector_math.h"
#include "nn/model.h"

namespace localbatch {

namespace {

Sampler make_sampler(const TrainingSetup& setup, int worker, int num_workers) {
  if (!setup.shares.empty())
    return {setup.shares[static_cast<std::size_t>(worker)], worker, setup.seed};
  return {static_cast<std::uint32_t>(setup.dataset.train.size()), worker, num_workers, setup.seed};
}

/// Calls prepare(i, image i of the slot) for i < count on all threads of the slot. Of several
/// failures the first one by image counts.
template <class Prepare>
void prepare_each(ExecutionSlot& slot, std::size_t count, const Prepare& prepare) {
  std::vector<std::exception_ptr> failures(count);
  slot.network->for_each(static_cast<int>(count), [&](int index) {
    const auto i = static_cast<std::size_t>(index);
    try {
      prepare(i, slot.image(i));
    } catch (...) {
      failures[i] = std::current_exception();
    }
  });
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace

NetworkWorker::NetworkWorker(const TrainingSetup& setup, int worker, int num_workers)
    : setup_(setup),
      worker_(worker),
      sampler_(make_sampler(setup, worker, num_workers)),
      parameters_(setup.model.parameter_count()),
      gradient_(parameters_.size()),
      state_(setup.inner_optimizer, setup.batch_norm_at_sync, parameters_.size(),
             setup.model.running_moment_tensors()),
      draws_(static_cast<std::size_t>(setup.micro_batch)) {
  std::vector<float> canonical(parameters_.size());
  setup.model.initialize_parameters(setup.seed, canonical);
  setup.slots.borrow()->network->from_canonical(canonical, parameters_.span());
  setup.model.initialize_running_moments(state_.moments());
}

SlotPool::Lease NetworkWorker::borrow_slot() {
  const Stopwatch::Scope timed(seconds_.slot);
  return setup_.slots.borrow();
}

void NetworkWorker::begin_round() {
  round_begins_ = false;
  if (setup_.batch_norm_at_sync.policy == BatchNormAtSync::Policy::kReset)
    setup_.model.initialize_running_moments(state_.moments());
}

double NetworkWorker::local_step(int local_batch_size, double learning_rate,
                                 ChunkGradients* chunks) {
  if (round_begins_) begin_round();
  const SlotPool::Lease slot = borrow_slot();
  slot->network->load(parameters_.span(), state_.moments());
  const ParallelFor parallel_for = slot->network->parallel_for();
  if (chunks != nullptr) chunks->begin(local_batch_size, count_micro_batches(local_batch_size));
  double loss = 0;
  GradientUse use = GradientUse::kReplace;
  for_each_micro_batch(local_batch_size, [&](int images) {
    const auto draws = std::span(draws_).first(static_cast<std::size_t>(images));
    sampler_.draw(draws);
    prepare_images(*slot, draws);
    const double weight = static_cast<double>(images) / local_batch_size;
    loss += weight * compute_gradient(*slot, images, weight, use);
    use = GradientUse::kAdd;
    if (chunks == nullptr) return;
    const Stopwatch::Scope timed(seconds_.statistics);
    chunks->add(images, gradient_.span());
  });
  const Stopwatch::Scope timed(seconds_.optimizer);
  state_.optimizer().step(parameters_.span(), gradient_.span(), learning_rate, parallel_for);
  return loss;
}

void NetworkWorker::prepare_images(ExecutionSlot& slot, std::span<const Draw> draws) {
  const Stopwatch::Scope timed(seconds_.data);
  const Dataset& dataset = setup_.dataset;
  prepare_each(slot, draws.size(), [&](std::size_t i, std::span<float> image) {
    prepare_training_image(dataset, setup_.augmentation, setup_.seed, draws[i], image);
    slot.targets[i] = dataset.train.labels[draws[i].sample];
  });
}

std::size_t NetworkWorker::prepare_test_images(ExecutionSlot& slot, std::size_t first,
                                               std::size_t count) {
  const Dataset& dataset = setup_.dataset;
  std::vector<char> is_there(count);
  prepare_each(slot, count, [&](std::size_t i, std::span<float> image) {
    is_there[i] = prepare_test_image(dataset, first + i, image) ? 1 : 0;
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (is_there[i] == 0) continue;
    if (kept < i) std::ranges::copy(slot.image(i), slot.image(kept).begin());
    slot.targets[kept++] = dataset.test.labels[first + i];
  }
  return kept;
}

double NetworkWorker::compute_gradient(ExecutionSlot& slot, int images, double weight,
                                       GradientUse use) {
  const Stopwatch::Scope timed(seconds_.gradient);
  Network& network = *slot.network;
  const double forward = network.forward_seconds(), backward = network.backward_seconds();
  const double loss = network.train(slot.batch(images), weight, gradient_.span(), use);
  seconds_.forward += network.forward_seconds() - forward;
  seconds_.backward += network.backward_seconds() - backward;
  return loss;
}

void NetworkWorker::finish_synchronization() {
  state_.finish_synchronization();
  // Statistics that are to be reset wait until the next round begins: until then models are
  // evaluated with them.
  round_begins_ = true;
}

void NetworkWorker::visit_state(StateVisitor& visitor) {
  std::int64_t drawn = sampler_.drawn();
  state_.visit_state(visitor, drawn);
  sampler_.restore(drawn);
}

std::vector<float> NetworkWorker::evaluated_statistics(Communicator& comm) {
  return state_.evaluated_moments(
      comm, [&] { return measured_statistics(comm.worker(), comm.num_workers()); });
}

/// The batches are the same in every evaluation, so that only the model makes a difference, and
/// dealt to the workers in turn.
std::vector<double> NetworkWorker::measured_statistics(int worker, int num_workers) {
  // An epoch that no training reaches.
  constexpr std::uint32_t kEpoch = 1U << 30;
  const int batches = setup_.batch_norm_at_sync.batches;
  std::vector<float> statistics(state_.moments().size());
  std::vector<double> sums(statistics.size());
  const SlotPool::Lease slot = borrow_slot();
  slot->network->load(parameters_.span(), statistics);
  std::vector<Draw> draws(static_cast<std::size_t>(setup_.micro_batch));
  const auto images = static_cast<std::uint32_t>(setup_.dataset.train.size());
  for (int batch = worker; batch < batches; batch += num_workers) {
    RandomStream random(setup_.seed, Purpose::kBatchNorm, static_cast<std::uint64_t>(batch));
    for (Draw& draw : draws) draw = {.epoch = kEpoch, .sample = random.below(images)};
    prepare_images(*slot, draws);
    slot->network->measure_moments(slot->batch(setup_.micro_batch));
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += double{statistics[i]};
  }
  return sums;
}

TestResult NetworkWorker::evaluate(Communicator& comm) {
  return state_.evaluate(
      comm, [&] { return measured_statistics(comm.worker(), comm.num_workers()); },
      [&](std::span<float> moments) {
        return test_share(moments, comm.worker(), comm.num_workers());
      });
}

Evaluation NetworkWorker::test_share(std::span<float> moments, int worker, int num_workers) {
  const ImageSet& test = setup_.dataset.test;
  const auto micro_batch = static_cast<std::size_t>(setup_.micro_batch);
  const SlotPool::Lease slot = setup_.slots.borrow();
  slot->network->load(parameters_.span(), moments);
  Evaluation sums;
  const auto stride = static_cast<std::size_t>(num_workers) * micro_batch;
  for (std::size_t first = static_cast<std::size_t>(worker) * micro_batch; first < test.size();
       first += stride) {
    const std::size_t count =
        prepare_test_images(*slot, first, std::min(micro_batch, test.size() - first));
    if (count == 0) continue;
    const Evaluation part = slot->network->evaluate(slot->batch(static_cast<int>(count)));
    sums.loss_sum += part.loss_sum;
    sums.correct += part.correct;
    sums.count += part.count;
  }
  return sums;
}

FinalModel NetworkWorker::final_model(Communicator& comm) {
  const std::vector<float> statistics = evaluated_statistics(comm);
  if (comm.worker() != 0) return {};
  FinalModel final{.tensors = setup_.model.parameter_tensors(), .values = {}};
  for (TensorView tensor : setup_.model.running_moment_tensors()) {
    tensor.offset += parameters_.size();
    final.tensors.push_back(std::move(tensor));
  }
  final.values.resize(parameters_.size());
  setup_.slots.borrow()->network->to_canonical(parameters_.span(), final.values);
  final.values.insert(final.values.end(), statistics.begin(), statistics.end());
  return final;
}

std::vector<Draw> NetworkWorker::draws_of(const SampleRequest& request) const {
  std::vector<Draw> draws(static_cast<std::size_t>(request.samples));
  if (!request.audit_round) {
    Sampler ahead = sampler_;
    ahead.draw(draws);
    return draws;
  }
  // Epochs that no training reaches, so that the augmentation is of the audit's own.
  constexpr std::uint32_t kFirstAuditEpoch = 1U << 31;
  const auto round = static_cast<std::uint64_t>(*request.audit_round);
  RandomStream random(setup_.seed, Purpose::kAudit, round, static_cast<std::uint32_t>(worker_));
  const std::span<const std::uint32_t> share =
      setup_.shares.empty() ? std::span<const std::uint32_t>()
                            : setup_.shares[static_cast<std::size_t>(worker_)];
  const std::size_t size = share.empty() ? setup_.dataset.train.size() : share.size();
  for (Draw& draw : draws) {
    const std::uint32_t index = random.below(static_cast<std::uint32_t>(size));
    draw = {.epoch = kFirstAuditEpoch + static_cast<std::uint32_t>(round),
            .sample = share.empty() ? index : share[index]};
  }
  return draws;
}

SampleGradients NetworkWorker::sample_gradients(const SampleRequest& request) {
  if (round_begins_) begin_round();
  const std::vector<Draw> draws = draws_of(request);
  const SlotPool::Lease slot = borrow_slot();
  Network& network = *slot->network;
  network.load(parameters_.span(), state_.moments());
  const auto pass = [&](std::span<float> gradient, const SampleSums& sums) {
    std::size_t first = 0;
    GradientUse use = GradientUse::kReplace;
    for_each_micro_batch(request.samples, [&](int images) {
      const auto count = static_cast<std::size_t>(images);
      const auto part = [&](std::span<double> all) {
        return all.empty() ? all : all.subspan(first, count);
      };
      prepare_images(*slot, std::span(draws).subspan(first, count));
      const Stopwatch::Scope timed(seconds_.statistics);
      network.sample_gradients(slot->batch(images), setup_.sample_normalization, gradient, use,
                               {.squared_norms = part(sums.squared_norms),
                                .inner_products = part(sums.inner_products),
                                .direction = sums.direction});
      use = GradientUse::kAdd;
      first += count;
    });
  };
  SampleGradients samples;
  samples.squared_norms.resize(draws.size());
  pass(gradient_.span(), {.squared_norms = samples.squared_norms});
  const float share = 1 / static_cast<float>(request.samples);
  for (float& value : gradient_.span()) value *= share;
  samples.mean_squared_norm = squared_norm(gradient_.span());
  if (!request.inner_products) return samples;
  samples.inner_products.resize(draws.size());
  pass({}, {.inner_products = samples.inner_products, .direction = gradient_.span()});
  return samples;
}

}  // namespace localbatch
