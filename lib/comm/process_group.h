#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace localbatch {

/// The processes that share the workers of a run: what the communicator needs of MPI. `rank` is a
/// word of this room only. All calls are collective and come from one thread of each process at a
/// time.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;

  virtual int rank() const = 0;
  virtual int num_ranks() const = 0;

  /// Sends segment r of `send` to rank r and receives one segment from every rank, in rank order.
  /// Counts are in elements and include this rank's own segment.
  virtual void exchange(std::span<const float> send, std::span<const std::size_t> send_counts,
                        std::span<float> receive, std::span<const std::size_t> receive_counts) = 0;

  /// Concatenates everybody's part in rank order; `counts[r]` elements come from rank r.
  virtual void gather_all(std::span<const float> mine, std::span<float> all,
                          std::span<const std::size_t> counts) = 0;
  virtual void gather_all(std::span<const double> mine, std::span<double> all,
                          std::span<const std::size_t> counts) = 0;

  /// The largest of everybody's values.
  virtual int max(int value) = 0;
};

/// This process alone.
std::unique_ptr<ProcessGroup> single_process();

/// MPI from MPI_Init_thread (here) to MPI_Finalize (in the destructor, collective as well); once
/// per process, as MPI cannot start again. A program started without mpirun is one rank, and an
/// InputError where srun started several such programs. A failing MPI call is a SystemError that
/// names it.
std::unique_ptr<ProcessGroup> mpi_processes();

/// "Open MPI v4.1.4": one line, as the library names itself.
std::string mpi_library_version();

/// Ends all processes of the job at once, for failures that the other ranks cannot know of: they
/// may wait for us in a collective, and so would MPI_Finalize. Without MPI it ends this process.
[[noreturn]] void abort_mpi_job(int status);

}  // namespace localbatch
