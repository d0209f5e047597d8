#include "train/round_numbers.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "core/checksum.h"
#include "core/error.h"

namespace localbatch {

namespace {

/// As a number that only travels: 52 bits of it.
double hash_of(std::span<const float> values) {
  return static_cast<double>(checksum(std::as_bytes(values)) >> 12);
}

/// Collective.
[[noreturn]] void fail_different(Worker& worker, Communicator& comm) {
  const std::vector<TensorView> tensors = worker.tensors();
  std::vector<double> mine;
  mine.reserve(tensors.size());
  for (const TensorView& tensor : tensors)
    mine.push_back(hash_of(worker.parameters().subspan(tensor.offset, tensor.size)));
  std::vector<double> all(mine.size() * static_cast<std::size_t>(comm.num_workers()));
  comm.exchange({.mine = mine, .all = all});
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    std::vector<int> different;
    for (int m = 1; m < comm.num_workers(); ++m)
      if (all[static_cast<std::size_t>(m) * mine.size() + t] != all[t]) different.push_back(m);
    if (!different.empty())
      fail_system(
          "after the synchronization the parameters of worker {} differ from those of worker 0, "
          "first in {}: memory, processor or network of one of them has failed",
          fmt::join(different, ", "), tensors[t].name);
  }
  fail_system(
      "after the synchronization the workers' parameters differ for a moment: memory fails");
}

}  // namespace

RoundNumbers combine(const RoundNumbers& mine, Worker& worker, Communicator& comm) {
  const double hash = hash_of(worker.parameters());
  const auto [save, stop] = mine.interruption;
  std::vector<double> numbers{
      mine.loss, mine.drift, hash, mine.residual, save || stop ? 1.0 : 0, stop ? 1.0 : 0};
  const std::size_t first_of_gradients = numbers.size();
  for (const auto field : kGroupSumFields) numbers.push_back(mine.gradients.*field);
  const std::size_t count = numbers.size();
  check(count == kRoundNumbers, "as many numbers travel as others count on");
  std::vector<double> all(count * static_cast<std::size_t>(comm.num_workers()));
  comm.exchange({.mine = numbers, .all = all, .traffic = Traffic::kStatistics});

  std::ranges::fill(numbers, 0.0);
  bool alike = true;
  for (auto theirs = all.begin(); theirs != all.end();
       theirs += static_cast<std::ptrdiff_t>(count)) {
    std::transform(numbers.begin(), numbers.end(), theirs, numbers.begin(), std::plus());
    alike = alike && theirs[2] == hash;
  }
  if (!alike) fail_different(worker, comm);
  RoundNumbers combined{.loss = numbers[0] / comm.num_workers(),
                        .drift = numbers[1] / comm.num_workers(),
                        .residual = numbers[3] / comm.num_workers(),
                        .gradients = {},
                        .interruption = {.save = numbers[4] > 0, .stop = numbers[5] > 0}};
  for (std::size_t i = 0; i < kGroupSumFields.size(); ++i)
    combined.gradients.*kGroupSumFields[i] = numbers[first_of_gradients + i];
  return combined;
}

}  // namespace localbatch
