#pragma once

#include "comm/process_group.h"

namespace localbatch {

/// The processes of the running MPI test program. They live as long as its test cases run.
ProcessGroup& mpi_test_processes();

}  // namespace localbatch
