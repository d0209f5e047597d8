#include "train/network_worker.h"

#include <algorithm>
#include <array>
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
  if (setup_.batch_norm_at_sync == StatePolicy::kReset)
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

void NetworkWorker::synchronize_state(Communicator& comm) {
  const std::span<float> norm = statistics_.span();
  synchronize_inner_optimizer(*inner_optimizer_, setup_.inner_optimizer.at_sync, comm);
  switch (setup_.batch_norm_at_sync) {
    case StatePolicy::kKeep:
      break;
    case StatePolicy::kAverage:
      comm.average(norm, norm);
      break;
    case StatePolicy::kReset:
      break;  // when the next round begins: until then models are evaluated with them
  }
  round_begins_ = true;
}

std::vector<float> NetworkWorker::mean_statistics(Communicator& comm) const {
  std::vector<float> mean(statistics_.size());
  comm.average(statistics_.span(), mean);
  return mean;
}

TestResult NetworkWorker::evaluate(Communicator& comm) {
  std::vector<float> statistics = mean_statistics(comm);
  const ImageSet& test = setup_.dataset.test;
  const std::size_t image_size = setup_.dataset.shape.size();
  const auto micro_batch = static_cast<std::size_t>(setup_.micro_batch);
  std::array<double, 3> sums{};
  {
    const SlotPool::Lease slot = setup_.slots.borrow();
    slot->network.load(parameters_.span(), statistics);
    const auto stride = static_cast<std::size_t>(comm.num_workers()) * micro_batch;
    for (std::size_t first = static_cast<std::size_t>(comm.worker()) * micro_batch;
         first < test.size(); first += stride) {
      const std::size_t count = std::min(micro_batch, test.size() - first);
      for (std::size_t i = 0; i < count; ++i)
        prepare_test_image(setup_.dataset, first + i,
                           slot->images.span().subspan(i * image_size, image_size));
      const Evaluation part = slot->network.evaluate(slot->images.span().first(count * image_size),
                                                     std::span(test.labels).subspan(first, count));
      sums[0] += part.loss_sum;
      sums[1] += static_cast<double>(part.correct);
      sums[2] += static_cast<double>(part.images);
    }
  }
  comm.sum(sums);
  return {.loss = sums[0] / sums[2],
          .correct = static_cast<std::int64_t>(sums[1]),
          .images = static_cast<std::int64_t>(sums[2])};
}

FinalModel NetworkWorker::final_model(Communicator& comm) {
  const std::vector<float> statistics = mean_statistics(comm);
  if (comm.worker() != 0) return {};
  FinalModel final{.tensors = parameter_tensors(setup_.model), .values = {}};
  for (TensorView tensor : statistics_tensors(setup_.model)) {
    tensor.offset += parameters_.size();
    final.tensors.push_back(std::move(tensor));
  }
  final.values.resize(parameters_.size());
  setup_.slots.borrow()->network.to_canonical(parameters_.span(), final.values);
  final.values.insert(final.values.end(), statistics.begin(), statistics.end());
  return final;
}

std::size_t NetworkWorker::averaged_state_size() {
  std::size_t size = 0;
  if (setup_.inner_optimizer.at_sync == StatePolicy::kAverage)
    size += inner_optimizer_->state().size();
  if (setup_.batch_norm_at_sync == StatePolicy::kAverage) size += statistics_.size();
  return size;
}

}  // namespace localbatch
