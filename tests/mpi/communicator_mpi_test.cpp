#include <doctest/doctest.h>

#include "comm/communicator_checks.h"
#include "comm/mailbox.h"
#include "comm/workers.h"
#include "core/error.h"
#include "mpi/mpi_test.h"

namespace localbatch {

TEST_CASE("workers on MPI ranks agree bit for bit with a sequential sum") {
  ProcessGroup& processes = mpi_test_processes();
  for (const int num_workers : {1, 2, 3, 4, 7, 16}) {
    if (num_workers < processes.num_ranks()) continue;
    CAPTURE(num_workers);
    run_workers(num_workers, processes, check_collectives);
  }
}

TEST_CASE("long vectors cross MPI in blocks") {
  ProcessGroup& processes = mpi_test_processes();
  for (const int num_workers : {4, 5}) {
    CAPTURE(num_workers);
    run_workers(num_workers, processes,
                [](Communicator& communicator) { check_average(communicator, 3'000'001); });
  }
}

TEST_CASE("a short average over a worker on every rank, however many there are") {
  ProcessGroup& processes = mpi_test_processes();
  run_workers(processes.num_ranks(), processes, [](Communicator& communicator) {
    for (const std::size_t length : {1, 63, 300}) check_average(communicator, length);
  });
}

TEST_CASE("every rank learns the largest value") {
  ProcessGroup& processes = mpi_test_processes();
  CHECK(Mailbox(processes).max(-processes.rank()) == 0);
  CHECK(Mailbox(processes).max(processes.rank()) == processes.num_ranks() - 1);
}

TEST_CASE("more MPI ranks than workers are refused on every rank") {
  ProcessGroup& processes = mpi_test_processes();
  if (processes.num_ranks() == 1) return;
  CHECK_THROWS_AS(run_workers(processes.num_ranks() - 1, processes, [](Communicator&) {}),
                  InputError);
}

}  // namespace localbatch
