#include "train/network_worker.h"

#include <algorithm>
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
  const std::size_t image_size = setup_.dataset.shape.size();
  for (std::size_t i = 0; i < draws.size(); ++i) {
    prepare_training_image(setup_.dataset, setup_.augmentation, setup_.seed, draws[i],
                           slot.images.span().subspan(i * image_size, image_size));
    slot.labels[i] = setup_.dataset.train.labels[draws[i].sample];
  }
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
