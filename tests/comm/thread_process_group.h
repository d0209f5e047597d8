#pragma once

#include <functional>
#include <vector>

#include "comm/process_group.h"

namespace localbatch {

/// Runs `rank_main` on `num_ranks` threads, each with a process group that joins it to the others
/// as MPI joins processes. An exception that leaves a rank ends the test program, as it would end
/// an MPI job. All ranks are on one host, unless `hosts` says more.
void run_simulated_ranks(int num_ranks, const std::function<void(ProcessGroup&)>& rank_main);
void run_simulated_ranks(const std::vector<int>& hosts,
                         const std::function<void(ProcessGroup&)>& rank_main);

}  // namespace localbatch
