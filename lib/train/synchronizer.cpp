#include "train/synchronizer.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/files.h"
#include "core/state.h"
#include "core/text.h"
#include "train/meter.h"
#include "train/method.h"
#include "train/worker.h"

namespace localbatch {

Synchronizer::Synchronizer(const LocalSgd& method, Worker& worker,
                           const OuterOptimizerFactory& make_outer_optimizer, Communicator& comm)
    : worker_(worker),
      comm_(comm),
      global_(make_global_parameters(method, worker.parameters(), make_outer_optimizer, comm)) {
  check(method.num_workers == comm.num_workers(), "the method knows how many workers there are");
}

void Synchronizer::begin(const RoundPlan& round) { global_->begin(round, worker_.parameters()); }

void Synchronizer::after_step(int steps) { global_->after_step(steps, worker_.parameters()); }

RoundNumbers Synchronizer::average(Meter& meter) {
  const std::span<float> x = worker_.parameters();
  Exchange meeting = global_->meet(x);
  std::vector<Averaged> averaged(meeting.averaged.begin(), meeting.averaged.end());
  worker_.add_averaged_state(averaged);
  meter.add_averaged(worker_, averaged);
  meeting.averaged = averaged;
  if (!averaged.empty() || !meeting.mine.empty()) comm_.exchange(meeting);
  global_->finish();

  const RoundNumbers mine{.drift = global_->drift(x),
                          .residual = global_->squared_residual(),
                          .gradient_norm = meter.mean_gradient_norm(),
                          .clipped_steps = static_cast<double>(meter.clipped_steps()),
                          .gradients = meter.own_sums(x, global_->mean(), global_->values())};
  global_->move(x);
  worker_.finish_synchronization();
  return mine;
}

namespace {

/// As a number that only travels: 52 bits of it.
double hash_of(std::span<const std::byte> bytes) {
  return static_cast<double>(checksum(bytes) >> 12);
}

constexpr std::size_t kRoundNumbers = kRoundMeanFields.size() + kRoundSumFields.size() +
                                      kRequestFields.size() + kGroupSumFields.size();
/// The last one is the hash.
using SharedNumbers = std::array<double, kRoundNumbers + 1>;

SharedNumbers encode(const RoundNumbers& numbers, double hash) {
  SharedNumbers shared{};
  auto next = shared.begin();
  for (const auto field : kRoundMeanFields) *next++ = numbers.*field;
  for (const auto field : kRoundSumFields) *next++ = numbers.*field;
  for (const auto field : kRequestFields) *next++ = numbers.request.*field ? 1 : 0;
  for (const auto field : kGroupSumFields) *next++ = numbers.gradients.*field;
  *next = hash;
  return shared;
}

/// From the sums over all workers.
RoundNumbers decode(const SharedNumbers& sums, int num_workers) {
  RoundNumbers numbers;
  auto next = sums.begin();
  for (const auto field : kRoundMeanFields) numbers.*field = *next++ / num_workers;
  for (const auto field : kRoundSumFields) numbers.*field = *next++;
  for (const auto field : kRequestFields) numbers.request.*field = *next++ > 0;
  for (const auto field : kGroupSumFields) numbers.gradients.*field = *next++;
  return numbers;
}

}  // namespace

RoundNumbers Synchronizer::share(const RoundNumbers& mine) {
  RoundNumbers own = mine;
  own.request.save |= own.request.stop;  // a run does not stop unsaved
  const SharedNumbers shared = encode(own, hash_of_common_state());
  std::vector<double> all(shared.size() * static_cast<std::size_t>(comm_.num_workers()));
  comm_.exchange({.mine = shared, .all = all, .traffic = Traffic::kStatistics});

  SharedNumbers sums{};
  bool alike = true;
  for (std::size_t first = 0; first < all.size(); first += sums.size()) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += all[first + i];
    alike = alike && all[first + sums.size() - 1] == shared.back();
  }
  if (!alike) fail_different();
  return decode(sums, comm_.num_workers());
}

namespace {

/// Its arrays one behind the other.
std::vector<float> averaged_state_of(Worker& worker) {
  std::vector<Averaged> arrays;
  worker.add_averaged_state(arrays);
  std::vector<float> state;
  for (const Averaged& array : arrays)
    state.insert(state.end(), array.mean.begin(), array.mean.end());
  return state;
}

}  // namespace

/// Parameters, and the state that was averaged with them.
double Synchronizer::hash_of_common_state() {
  std::vector<Averaged> state;
  worker_.add_averaged_state(state);
  if (state.empty()) return hash_of(std::as_bytes(worker_.parameters()));
  std::vector<std::uint64_t> hashes{checksum(std::as_bytes(worker_.parameters()))};
  for (const Averaged& array : state) hashes.push_back(checksum(std::as_bytes(array.mean)));
  return hash_of(std::as_bytes(std::span(hashes)));
}

/// Collective.
void Synchronizer::fail_different() {
  struct Part {
    std::string_view whole;
    std::string name;
  };
  std::vector<Part> parts;
  std::vector<double> mine;
  const auto add = [&](std::string_view whole, const TensorView& tensor,
                       std::span<const float> values) {
    parts.push_back({whole, tensor.name});
    mine.push_back(hash_of(std::as_bytes(values)));
  };
  for (const TensorView& tensor : worker_.tensors())
    add("parameters", tensor, worker_.parameters().subspan(tensor.offset, tensor.size));
  const std::vector<float> state = averaged_state_of(worker_);
  for (const TensorView& tensor : worker_.averaged_state_tensors())
    add("averaged states", tensor, std::span(state).subspan(tensor.offset, tensor.size));

  std::vector<double> all(mine.size() * static_cast<std::size_t>(comm_.num_workers()));
  comm_.exchange({.mine = mine, .all = all});
  for (std::size_t part = 0; part < parts.size(); ++part) {
    std::vector<int> different;
    for (int m = 1; m < comm_.num_workers(); ++m)
      if (all[static_cast<std::size_t>(m) * mine.size() + part] != all[part])
        different.push_back(m);
    if (!different.empty())
      fail_system(
          "after the synchronization the {} of worker {} differ from those of worker 0, first in "
          "{}: "
          "memory, processor or network of one of them has failed",
          parts[part].whole, join(different, ", "), parts[part].name);
  }
  fail_system(
      "after the synchronization the workers' parameters differ for a moment: memory fails");
}

void Synchronizer::visit_common_state(StateVisitor& visitor) {
  visitor.visit("parameters", worker_.parameters());
  if (visitor.reads()) global_->put(worker_.parameters());
  global_->visit_common_state(visitor);
}

void Synchronizer::visit_own_state(StateVisitor& visitor) { global_->visit_own_state(visitor); }

}  // namespace localbatch
