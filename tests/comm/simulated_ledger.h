#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "comm/thread_process_group.h"
#include "comm/workers.h"

namespace localbatch {

/// What all ranks together send when every worker does `body`.
inline Ledger total_of(int num_workers, const std::vector<int>& hosts,
                       const std::function<void(Communicator&)>& body) {
  Ledger total;
  std::mutex mutex;
  run_simulated_ranks(hosts, [&](ProcessGroup& processes) {
    run_workers(num_workers, processes, [&](Communicator& comm) {
      body(comm);
      const std::lock_guard lock(mutex);
      total += comm.ledger();
    });
  });
  return total;
}

}  // namespace localbatch
