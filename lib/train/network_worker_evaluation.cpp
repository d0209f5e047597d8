#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/random.h"
#include "train/network_worker.h"

namespace localbatch {

std::vector<float> NetworkWorker::evaluated_statistics(Communicator& comm) {
  if (setup_.batch_norm_at_sync.policy == BatchNormAtSync::Policy::kRecompute)
    return recomputed_statistics(comm);
  std::vector<float> mean(statistics_.size());
  comm.average(statistics_.span(), mean, Traffic::kEvaluation);
  return mean;
}

/// The batches are the same in every evaluation, so that only the model makes a difference, and
/// dealt to the workers in turn.
std::vector<float> NetworkWorker::recomputed_statistics(Communicator& comm) {
  // An epoch that no training reaches.
  constexpr std::uint32_t kEpoch = 1U << 30;
  const int batches = setup_.batch_norm_at_sync.batches;
  std::vector<double> sums(statistics_.size());
  {
    const SlotPool::Lease slot = borrow_slot();
    std::vector<float> statistics(statistics_.size());
    slot->network.load(parameters_.span(), statistics);
    std::vector<Draw> draws(static_cast<std::size_t>(setup_.micro_batch));
    const auto images = static_cast<std::uint32_t>(setup_.dataset.train.size());
    for (int batch = comm.worker(); batch < batches; batch += comm.num_workers()) {
      RandomStream random(setup_.seed, Purpose::kBatchNorm, static_cast<std::uint64_t>(batch));
      for (Draw& draw : draws) draw = {.epoch = kEpoch, .sample = random.below(images)};
      prepare_images(*slot, draws);
      slot->network.measure_statistics(
          slot->images.span().first(draws.size() * setup_.dataset.shape.size()));
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += double{statistics[i]};
    }
  }
  comm.sum(sums, Traffic::kEvaluation);
  std::vector<float> mean(sums.size());
  std::ranges::transform(sums, mean.begin(),
                         [=](double sum) { return static_cast<float>(sum / batches); });
  return mean;
}

TestResult NetworkWorker::evaluate(Communicator& comm) {
  std::vector<float> statistics = evaluated_statistics(comm);
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
      const std::size_t count =
          prepare_test_images(*slot, first, std::min(micro_batch, test.size() - first));
      if (count == 0) continue;
      const Evaluation part = slot->network.evaluate(slot->images.span().first(count * image_size),
                                                     std::span(slot->labels).first(count));
      sums[0] += part.loss_sum;
      sums[1] += static_cast<double>(part.correct);
      sums[2] += static_cast<double>(part.images);
    }
  }
  comm.sum(sums, Traffic::kEvaluation);
  if (!(sums[2] > 0)) fail_system("all images of the test set are damaged");
  return {.loss = sums[0] / sums[2],
          .correct = static_cast<std::int64_t>(sums[1]),
          .images = static_cast<std::int64_t>(sums[2])};
}

FinalModel NetworkWorker::final_model(Communicator& comm) {
  const std::vector<float> statistics = evaluated_statistics(comm);
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

}  // namespace localbatch
