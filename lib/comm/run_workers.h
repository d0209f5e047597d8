#pragma once

#include <exception>
#include <functional>

#include "comm/communicator.h"
#include "comm/process_group.h"

namespace localbatch {

/// Which workers a rank hosts: first, first + 1, ..., first + count - 1. Shares differ by at most
/// one.
struct HostedWorkers {
  int first = 0;
  int count = 0;
};
HostedWorkers hosted_workers(int num_workers, int rank, int num_ranks);

/// Throws an InputError when there are more ranks than workers.
void check_ranks(int num_workers, int num_ranks);

/// Runs `body` once per worker that this rank hosts, each on a thread of its own (a lone one on the
/// calling thread), and joins them: threads inside a process, processes through `processes`. Throws
/// an InputError when there are more ranks than workers. The first exception that leaves a body
/// ends the other bodies at their next collective and is rethrown here. Workers of other ranks then
/// wait for ever: the caller has to end the job, and may do so in `on_failure`, which gets the
/// first exception at once, on the thread that it came from, while others still compute. A
/// collective that waits for other ranks for more than `patience` seconds fails; 0: it waits for
/// ever.
void run_workers(int num_workers, ProcessGroup& processes,
                 const std::function<void(Communicator&)>& body, double patience = 0,
                 const std::function<void(std::exception_ptr)>& on_failure = {});

}  // namespace localbatch
