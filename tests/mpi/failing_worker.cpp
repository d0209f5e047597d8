// A job in which one worker fails while the others wait for it: the test is how mpirun ends.

#include <cstdio>
#include <exception>
#include <vector>

#include "comm/process_group.h"
#include "comm/workers.h"
#include "core/error.h"

int main() {
  const auto processes = localbatch::mpi_processes();
  try {
    localbatch::run_workers(4, *processes, [](localbatch::Communicator& communicator) {
      std::vector<float> x(100);
      communicator.average(x, x, localbatch::Traffic::kParameters);
      if (communicator.worker() == 3) localbatch::fail_system("worker 3 fell");
      communicator.average(x, x, localbatch::Traffic::kParameters);
    });
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    localbatch::abort_mpi_job(75);
  }
}
