#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <exception>
#include <memory>

#include "comm/mailbox.h"
#include "mpi/mpi_test.h"

namespace localbatch {

namespace {

ProcessGroup* processes_of_all_cases = nullptr;  // doctest hands nothing to its cases

/// Whether a test failed on any rank. Ranks other than 0 print failures only.
int run_cases(int argc, char** argv) {
  const std::unique_ptr<ProcessGroup> processes = mpi_processes();
  processes_of_all_cases = processes.get();
  doctest::Context context(argc, argv);
  if (processes->rank() != 0) context.setOption("minimal", true);
  return Mailbox(*processes).max(context.run());
}

}  // namespace

ProcessGroup& mpi_test_processes() { return *processes_of_all_cases; }

}  // namespace localbatch

int main(int argc, char** argv) {
  try {
    return localbatch::run_cases(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
