#include "train/dry_run.h"

#include <algorithm>
#include <utility>

#include "core/state.h"

namespace localbatch {

namespace {

/// The mean of arrays that are all the same, in a meeting that knows of it.
void average_alone(const Averaged& array, Meeting& meeting) {
  meeting.averaged.push_back(
      {.length = array.mine.size(), .traffic = array.traffic, .payload = array.payload});
  if (array.mean.data() != array.mine.data()) std::ranges::copy(array.mine, array.mean.begin());
}

}  // namespace

void DryCommunicator::exchange(const Exchange& what) {
  Meeting& meeting = meetings_.emplace_back();
  for (const Averaged& array : what.averaged) average_alone(array, meeting);
  meeting.numbers = what.mine.size();
  meeting.traffic = what.traffic;
  for (std::size_t i = 0; i < what.all.size(); ++i) what.all[i] = what.mine[i % what.mine.size()];
}

void DryCommunicator::start_average(const Averaged& what) {
  average_alone(what, meetings_.emplace_back(Meeting{.in_background = true}));
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
