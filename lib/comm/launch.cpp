#include "comm/launch.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace localbatch {

namespace {

// Open MPI, then MPICH and Intel MPI. Slurm sets the latter as well, for 'srun --mpi=pmi2'.
constexpr const char* kOpenMpiSize = "OMPI_COMM_WORLD_SIZE";
constexpr const char* kPmiSize = "PMI_SIZE";
constexpr const char* kStepSize = "SLURM_STEP_NUM_TASKS";

// How the names of variables begin that tell a process its place: the languages of process
// managers, Open MPI, srun, then Cray's PALS and ALPS, Flux, IBM's jsrun and MVAPICH.
constexpr std::array<std::string_view, 8> kPlaces{"PMI",           "OMPI_COMM_WORLD", kStepSize,
                                                  "PALS_",         "ALPS_APP",        "FLUX_TASK",
                                                  "JSM_NAMESPACE", "MV2_COMM_WORLD"};

}  // namespace

Environment variables_with(std::span<const std::string_view> beginnings) {
  Environment variables;
  for (char** variable = ::environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const std::string_view name = text.substr(0, text.find('='));
    const auto begins = [name](std::string_view beginning) { return name.starts_with(beginning); };
    if (name.size() < text.size() && std::ranges::any_of(beginnings, begins))
      variables.emplace(name, text.substr(name.size() + 1));
  }
  return variables;
}

Environment launch_environment() {
  Environment environment;
  for (const char* const name : {kOpenMpiSize, "OMPI_COMM_WORLD_RANK", kPmiSize, "PMI_RANK",
                                 kStepSize, "SLURM_PROCID", "SLURM_JOB_ID", "SLURM_ARRAY_TASK_ID",
                                 "SLURM_NTASKS", "SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"})
    if (const char* const value = std::getenv(name)) environment[name] = value;
  return environment;
}

std::optional<int> number_in(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  if (found == environment.end()) return {};
  const std::string& text = found->second;
  int number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc{}) return {};
  return number;
}

Launcher launcher(const Environment& environment) {
  if (environment.contains(kOpenMpiSize)) return Launcher::kMpirun;
  const auto pmi = number_in(environment, kPmiSize), step = number_in(environment, kStepSize);
  if (pmi && pmi != step) return Launcher::kMpirun;
  return step ? Launcher::kSrun : Launcher::kNone;
}

bool may_have_been_launched(const Environment& whole_environment) {
  return std::ranges::any_of(whole_environment, [](const auto& variable) {
    return std::ranges::any_of(kPlaces,
                               [&](auto name) { return variable.first.starts_with(name); });
  });
}

Environment whole_environment() { return variables_with(std::array<std::string_view, 1>{""}); }

int launched_processes(const Environment& environment) {
  for (const char* const name : {kOpenMpiSize, kPmiSize, kStepSize})
    if (const std::optional<int> size = number_in(environment, name)) return std::max(1, *size);
  return 1;
}

int launched_place(const Environment& environment) {
  if (launcher(environment) == Launcher::kSrun)
    return number_in(environment, "SLURM_PROCID").value_or(0);
  for (const char* const name : {"OMPI_COMM_WORLD_RANK", "PMI_RANK"})
    if (const std::optional<int> place = number_in(environment, name)) return *place;
  return 0;
}

MpiLibrary mpi_library(std::string_view version) {
  const auto says = [version](std::string_view name) {
    return version.find(name) != std::string_view::npos;
  };
  if (says("Intel")) return MpiLibrary::kIntel;
  return says("MPICH") || says("MVAPICH") ? MpiLibrary::kMpich : MpiLibrary::kOpenMpi;
}

std::string_view option_of_srun(MpiLibrary library) {
  return library == MpiLibrary::kOpenMpi ? "--mpi=pmix" : "--mpi=pmi2";
}

std::optional<UnconnectedProcesses> find_unconnected_processes(const Environment& environment,
                                                               int num_ranks,
                                                               std::string_view command,
                                                               MpiLibrary library) {
  const int processes = launched_processes(environment);
  if (num_ranks > 1 || processes == 1) return {};
  const bool by_srun = launcher(environment) == Launcher::kSrun;
  UnconnectedProcesses unconnected;
  unconnected.found =
      fmt::format("{} started {} {}, but MPI does not connect them (each one sees a single rank)",
                  by_srun ? "srun" : "mpirun", processes, by_srun ? "tasks" : "processes");
  if (by_srun)
    unconnected.advice = fmt::format(
        "start with 'srun {2} -n {0} {1}' ('srun --mpi=list' shows what this cluster has), with "
        "'mpirun -np {0} {1}', or one task only: 'srun -n 1 {1}'",
        processes, command, option_of_srun(library));
  else
    unconnected.advice =
        fmt::format("'mpirun -np {} {}' with the mpirun of the MPI that localbatch was built with",
                    processes, command);
  return unconnected;
}

}  // namespace localbatch
