#include "train/network_worker.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "nn/initialization.h"
#include "train/inner_optimizer_state.h"

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
void prepare_each(ExecutionSlot& slot, std::size_t image_size, std::size_t count,
                  const Prepare& prepare) {
  std::vector<std::exception_ptr> failures(count);
  slot.network.for_each(static_cast<int>(count), [&](int index) {
    const auto i = static_cast<std::size_t>(index);
    try {
      prepare(i, slot.images.span().subspan(i * image_size, image_size));
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
      parameters_(total_size(parameter_tensors(setup.model))),
      gradient_(parameters_.size()),
      statistics_(total_size(statistics_tensors(setup.model))),
      draws_(static_cast<std::size_t>(setup.micro_batch)) {
  inner_optimizer_ = setup.inner_optimizer.make(parameters_.size());
  std::vector<float> canonical(parameters_.size());
  initialize_parameters(setup.model, setup.seed, canonical);
  setup.slots.borrow()->network.from_canonical(canonical, parameters_.span());
  initialize_statistics(setup.model, statistics_.span());
}

SlotPool::Lease NetworkWorker::borrow_slot() {
  const Stopwatch::Scope timed(seconds_.slot);
  return setup_.slots.borrow();
}

void NetworkWorker::begin_round() {
  round_begins_ = false;
  if (setup_.batch_norm_at_sync.policy == BatchNormAtSync::Policy::kReset)
    initialize_statistics(setup_.model, statistics_.span());
}

double NetworkWorker::local_step(int local_batch_size, double learning_rate,
                                 ChunkGradients* chunks) {
  if (round_begins_) begin_round();
  const SlotPool::Lease slot = borrow_slot();
  slot->network.load(parameters_.span(), statistics_.span());
  const PieceRunner run_pieces = slot->network.piece_runner();
  if (chunks != nullptr) chunks->begin(local_batch_size, count_micro_batches(local_batch_size));
  double loss = 0;
  GradientUse use = GradientUse::kReplace;
  for_each_micro_batch(local_batch_size, [&](int images) {
    const auto draws = std::span(draws_).first(static_cast<std::size_t>(images));
    sampler_.draw(draws);
    prepare_images(*slot, draws);
    const double weight = static_cast<double>(images) / local_batch_size;
    loss += weight * compute_gradient(*slot, draws.size(), weight, use);
    use = GradientUse::kAdd;
    if (chunks == nullptr) return;
    const Stopwatch::Scope timed(seconds_.statistics);
    chunks->add(images, gradient_.span());
  });
  const Stopwatch::Scope timed(seconds_.optimizer);
  inner_optimizer_->step(parameters_.span(), gradient_.span(), learning_rate, run_pieces);
  return loss;
}

void NetworkWorker::prepare_images(ExecutionSlot& slot, std::span<const Draw> draws) {
  const Stopwatch::Scope timed(seconds_.data);
  const Dataset& dataset = setup_.dataset;
  prepare_each(slot, dataset.shape.size(), draws.size(),
               [&](std::size_t i, std::span<float> image) {
                 prepare_training_image(dataset, setup_.augmentation, setup_.seed, draws[i], image);
                 slot.labels[i] = dataset.train.labels[draws[i].sample];
               });
}

std::size_t NetworkWorker::prepare_test_images(ExecutionSlot& slot, std::size_t first,
                                               std::size_t count) {
  const Dataset& dataset = setup_.dataset;
  const std::size_t image_size = dataset.shape.size();
  std::vector<char> is_there(count);
  prepare_each(slot, image_size, count, [&](std::size_t i, std::span<float> image) {
    is_there[i] = prepare_test_image(dataset, first + i, image) ? 1 : 0;
  });
  const std::span<float> images = slot.images.span();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (is_there[i] == 0) continue;
    if (kept < i)
      std::ranges::copy(images.subspan(i * image_size, image_size),
                        images.begin() + static_cast<std::ptrdiff_t>(kept * image_size));
    slot.labels[kept++] = dataset.test.labels[first + i];
  }
  return kept;
}

double NetworkWorker::compute_gradient(ExecutionSlot& slot, std::size_t images, double weight,
                                       GradientUse use) {
  const Stopwatch::Scope timed(seconds_.gradient);
  Network& network = slot.network;
  const double forward = network.forward_seconds(), backward = network.backward_seconds();
  const double loss = network.train_micro_batch(
      slot.images.span().first(images * setup_.dataset.shape.size()),
      std::span(slot.labels).first(images), weight, gradient_.span(), use);
  seconds_.forward += network.forward_seconds() - forward;
  seconds_.backward += network.backward_seconds() - backward;
  return loss;
}

void NetworkWorker::add_averaged_state(std::vector<Averaged>& averaged) {
  localbatch::add_averaged_state(*inner_optimizer_, setup_.inner_optimizer.at_sync, averaged);
  if (setup_.batch_norm_at_sync.policy == BatchNormAtSync::Policy::kAverage &&
      statistics_.size() > 0)
    averaged.push_back(
        {.mine = statistics_.span(), .mean = statistics_.span(), .traffic = Traffic::kState});
}

void NetworkWorker::finish_synchronization() {
  localbatch::finish_synchronization(*inner_optimizer_, setup_.inner_optimizer.at_sync);
  // Statistics that are to be reset wait until the next round begins: until then models are
  // evaluated with them.
  round_begins_ = true;
}

void NetworkWorker::visit_state(StateVisitor& visitor) {
  visit_inner_optimizer(visitor, *inner_optimizer_);
  visitor.visit("statistics", statistics_.span());
  std::int64_t drawn = sampler_.drawn();
  visitor.visit("drawn", drawn);
  sampler_.restore(drawn);
}

}  // namespace localbatch
