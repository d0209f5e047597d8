#pragma once

#include <array>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace localbatch {

/// Variables of the environment by name.
using Environment = std::map<std::string, std::string>;

/// The variables of this process whose names begin with one of these.
Environment variables_with(std::span<const std::string_view> beginnings);

/// The beginnings of names by which MPI libraries, and the networks below them, are tuned.
inline constexpr std::array<std::string_view, 8> kMpiVariables{
    "OMPI_MCA_", "PMIX_MCA_", "PRTE_MCA_", "I_MPI_", "MPICH_", "MPIR_CVAR_", "UCX_", "FI_"};

/// The variables by which mpirun and srun tell a process about itself and its job.
Environment launch_environment();

/// The value of a variable that is a number, or begins with one; nothing where it is not set.
std::optional<int> number_in(const Environment& environment, const std::string& name);

enum class Launcher { kNone, kMpirun, kSrun };

/// The launcher of this process. A shell in a Slurm allocation has none, and neither have the
/// programs that it starts directly.
Launcher launcher(const Environment& environment);

/// Whether any launcher may have started this process together with others, also one that
/// launcher() does not know: all tell a process its place by a variable. Without one it is alone,
/// and needs no MPI, which takes half a second to start.
bool may_have_been_launched(const Environment& whole_environment);

/// All variables of this process.
Environment whole_environment();

/// The number of processes that the launcher started together, 1 without a launcher. mpirun inside
/// a task of srun starts processes of its own.
int launched_processes(const Environment& environment);

/// The place of this process among them, 0 .. launched_processes - 1.
int launched_place(const Environment& environment);

/// The libraries of MPI whose launchers have languages of their own.
enum class MpiLibrary { kOpenMpi, kMpich, kIntel };

/// By the text of mpi_library_version(). One that nobody knows is launched as Open MPI is.
MpiLibrary mpi_library(std::string_view version);

/// The option by which srun connects processes of a library: "--mpi=pmix".
std::string_view option_of_srun(MpiLibrary library);

/// Several processes each of which takes itself for the whole job, so that all would write the same
/// files: what was found, and advice.
struct UnconnectedProcesses {
  std::string found, advice;
};

/// Returns nothing when MPI connects the processes that the launcher started. `num_ranks` is what
/// MPI says, `command` the command line without the launcher, and `library` decides the advice.
std::optional<UnconnectedProcesses> find_unconnected_processes(
    const Environment& environment, int num_ranks, std::string_view command,
    MpiLibrary library = MpiLibrary::kOpenMpi);

}  // namespace localbatch
