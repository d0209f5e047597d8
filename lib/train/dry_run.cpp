#include "train/dry_run.h"

#include <algorithm>
#include <utility>

#include "core/state.h"

namespace localbatch {

void DryCommunicator::exchange(const Exchange& what) {
  Meeting& meeting = meetings_.emplace_back();
  for (const Averaged& array : what.averaged) {
    meeting.averaged.push_back(
        {.length = array.mine.size(), .traffic = array.traffic, .payload = array.payload});
    if (array.mean.data() != array.mine.data()) std::ranges::copy(array.mine, array.mean.begin());
  }
  meeting.numbers = what.mine.size();
  meeting.traffic = what.traffic;
  for (std::size_t i = 0; i < what.all.size(); ++i) what.all[i] = what.mine[i % what.mine.size()];
}

void DryCommunicator::start_average(const Started& what) {
  meetings_.push_back(
      {.averaged = {{.length = what.mine.size(), .traffic = what.traffic, .payload = what.payload}},
       .in_background = true});
  started_.emplace_back(what.mine.begin(), what.mine.end());
}

void DryCommunicator::finish_average(std::span<float> mean) {
  std::ranges::copy(started_.front(), mean.begin());
  started_.pop_front();
}

DryNetworkWorker::DryNetworkWorker(const InnerOptimizerFactory& optimizer,
                                   const BatchNormAtSync& batch_norm,
                                   std::vector<TensorView> parameters,
                                   std::vector<TensorView> moments, std::size_t evaluated_sets)
    : tensors_(std::move(parameters)),
      zeros_(total_size(tensors_)),
      state_(optimizer, batch_norm, layout_of(tensors_), std::move(moments)),
      evaluated_sets_(evaluated_sets) {}

double DryNetworkWorker::local_step(int local_batch_size, double /*learning_rate*/,
                                    ChunkGradients* chunks) {
  if (chunks != nullptr) {
    chunks->begin(local_batch_size, 1);
    chunks->add(local_batch_size, zeros_);
  }
  return 0;
}

TestResult DryNetworkWorker::evaluate(Communicator& comm) {
  state_.evaluate(
      comm, [&] { return no_moments(); },
      [&](std::span<float>) { return std::vector<Evaluation>(evaluated_sets_); });
  return {};
}

FinalModel DryNetworkWorker::final_model(Communicator& comm) {
  state_.evaluated_moments(comm, [&] { return no_moments(); });
  return {};
}

void DryNetworkWorker::visit_state(StateVisitor& visitor) {
  std::int64_t drawn = 0;
  state_.visit_state(visitor, drawn);
}

}  // namespace localbatch
