#include "selftest/checks.h"

#include <fmt/core.h>

#include <bit>
#include <vector>

#include "comm/communicator.h"
#include "comm/process_group.h"
#include "comm/workers.h"

namespace localbatch {

std::string check_average(ProcessGroup& processes) {
  // With as many workers as a power of two, means of small integers are exact in whatever order
  // they are taken.
  const int workers =
      2 * static_cast<int>(std::bit_ceil(static_cast<unsigned>(processes.num_ranks())));
  constexpr int kNumbers = 100'003;  // more than one message, and no multiple of anything
  const auto number = [](int worker, int i) { return (7 * worker + i) % 101; };
  std::vector<std::string> differences(static_cast<std::size_t>(workers));
  run_workers(workers, processes, [&](Communicator& comm) {
    std::vector<float> mine(kNumbers), mean(kNumbers);
    for (int i = 0; i < kNumbers; ++i) mine[i] = static_cast<float>(number(comm.worker(), i));
    comm.average(mine, mean, Traffic::kParameters);
    for (int i = 0; i < kNumbers; ++i) {
      double sum = 0;
      for (int worker = 0; worker < workers; ++worker) sum += number(worker, i);
      if (mean[i] == sum / workers) continue;
      differences[comm.worker()] =
          fmt::format("the mean of number {} is {}, expected {}", i, mean[i], sum / workers);
      return;
    }
  });
  for (const std::string& difference : differences)
    if (!difference.empty()) return difference;
  return {};
}

}  // namespace localbatch
