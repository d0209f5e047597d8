#include "comm/launch.h"

#include <doctest/doctest.h>

#include "comm/agreement.h"
#include "comm/thread_process_group.h"

namespace localbatch {

namespace {

struct Start {
  Environment environment;
  Launcher by;
  int processes, place;
};

}  // namespace

TEST_CASE("a process without any variable of a launcher is alone") {
  const Environment alone{{"PATH", "/bin"},      {"OMPI_MCA_btl", "tcp"}, {"UCX_TLS", "tcp"},
                          {"SLURM_JOB_ID", "7"}, {"SLURM_PROCID", "0"},   {"SLURM_NTASKS", "4"}};
  CHECK_FALSE(may_have_been_launched(alone));
  for (const char* const place :
       {"OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI2_RANK", "PMIX_RANK", "PMIX_NAMESPACE", "PMI_FD",
        "SLURM_STEP_NUM_TASKS", "PALS_RANKID", "ALPS_APP_PE", "FLUX_TASK_RANK",
        "JSM_NAMESPACE_RANK", "MV2_COMM_WORLD_RANK"}) {
    CAPTURE(place);
    Environment launched = alone;
    launched[place] = "0";
    CHECK(may_have_been_launched(launched));
  }
  CHECK(whole_environment().contains("PATH"));
}

TEST_CASE("the environment says who started a process, and with how many others") {
  const Start starts[] = {
      {{}, Launcher::kNone, 1, 0},
      {{{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}},
       Launcher::kNone,
       1,
       0},  // a batch script
      {{{"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_PROCID", "3"}}, Launcher::kSrun, 4, 3},
      {{{"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_PROCID", "3"}, {"PMI_SIZE", "4"}, {"PMI_RANK", "3"}},
       Launcher::kSrun,
       4,
       3},  // --mpi=pmi2
      {{{"OMPI_COMM_WORLD_SIZE", "2"}, {"OMPI_COMM_WORLD_RANK", "1"}}, Launcher::kMpirun, 2, 1},
      {{{"PMI_SIZE", "3"}, {"PMI_RANK", "2"}}, Launcher::kMpirun, 3, 2},
      // mpirun in a batch script: its helpers on other nodes are tasks of srun.
      {{{"OMPI_COMM_WORLD_SIZE", "8"},
        {"OMPI_COMM_WORLD_RANK", "5"},
        {"SLURM_STEP_NUM_TASKS", "2"},
        {"SLURM_PROCID", "1"}},
       Launcher::kMpirun,
       8,
       5},
      {{{"SLURM_STEP_NUM_TASKS", "many"}}, Launcher::kNone, 1, 0},
  };
  for (const Start& start : starts) {
    CAPTURE(&start - starts);
    CHECK(launcher(start.environment) == start.by);
    CHECK(launched_processes(start.environment) == start.processes);
    CHECK(launched_place(start.environment) == start.place);
  }
}

TEST_CASE("several processes of which each is alone are found, and told how to start") {
  const auto by_srun = find_unconnected_processes({{"SLURM_STEP_NUM_TASKS", "4"}}, 1, "program x");
  REQUIRE(by_srun);
  CHECK(by_srun->found.starts_with("srun started 4 tasks, but MPI does not connect them"));
  for (const char* const line :
       {"'srun --mpi=pmix -n 4 program x'", "'mpirun -np 4 program x'", "'srun -n 1 program x'"})
    CHECK_MESSAGE(by_srun->advice.find(line) != std::string::npos, by_srun->advice);

  // Slurm's own variables of PMI do not mean that MPI understands them.
  CHECK(find_unconnected_processes({{"SLURM_STEP_NUM_TASKS", "4"}, {"PMI_SIZE", "4"}}, 1, ""));
  // The mpirun of another MPI.
  const auto by_mpirun = find_unconnected_processes({{"PMI_SIZE", "3"}}, 1, "program");
  REQUIRE(by_mpirun);
  CHECK(by_mpirun->found.starts_with("mpirun started 3 processes"));
  CHECK(by_mpirun->advice.starts_with("'mpirun -np 3 program'"));
  CHECK(find_unconnected_processes({{"OMPI_COMM_WORLD_SIZE", "2"}}, 1, ""));
}

TEST_CASE("connected ranks, and a rank alone that was meant to be, are left in peace") {
  CHECK_FALSE(find_unconnected_processes({}, 1, ""));
  CHECK_FALSE(find_unconnected_processes({}, 4, ""));
  CHECK_FALSE(find_unconnected_processes({{"SLURM_STEP_NUM_TASKS", "4"}}, 4, ""));
  CHECK_FALSE(find_unconnected_processes({{"SLURM_STEP_NUM_TASKS", "1"}, {"SLURM_NTASKS", "4"}}, 1,
                                         ""));  // srun -n 1
  CHECK_FALSE(find_unconnected_processes({{"SLURM_NTASKS", "4"}}, 1, ""));
  CHECK_FALSE(find_unconnected_processes(
      {{"SLURM_STEP_NUM_TASKS", "4"}, {"OMPI_COMM_WORLD_SIZE", "1"}}, 1, ""));  // mpirun -np 1
}

TEST_CASE("texts of different lengths arrive whole and in rank order on every rank") {
  const std::vector<std::string> texts{"one", "", std::string("a\0\xff\n", 4),
                                       std::string(5000, 'x')};
  for (int ranks = 1; ranks <= 4; ++ranks)
    run_simulated_ranks(ranks, [&](ProcessGroup& processes) {
      CHECK(gather_texts(texts[processes.rank()], processes) ==
            std::vector(texts.begin(), texts.begin() + ranks));
    });
}

TEST_CASE("the version's text names the library, which decides how srun connects its processes") {
  const std::pair<const char*, MpiLibrary> versions[] = {
      {"Open MPI v4.1.4", MpiLibrary::kOpenMpi},
      {"Open MPI v5.0.7", MpiLibrary::kOpenMpi},
      {"MPICH Version:\t4.0.2", MpiLibrary::kMpich},
      {"MVAPICH2 Version      :\t2.3.7", MpiLibrary::kMpich},
      {"Intel(R) MPI Library 2021.11 for Linux* OS", MpiLibrary::kIntel},
      {"", MpiLibrary::kOpenMpi}};
  for (const auto& version : versions) {
    CAPTURE(version.first);
    CHECK((mpi_library(version.first) == version.second));
  }
  CHECK(option_of_srun(MpiLibrary::kOpenMpi) == "--mpi=pmix");
  CHECK(option_of_srun(MpiLibrary::kMpich) == "--mpi=pmi2");
  CHECK(option_of_srun(MpiLibrary::kIntel) == "--mpi=pmi2");
  const auto alone =
      find_unconnected_processes({{"SLURM_STEP_NUM_TASKS", "4"}}, 1, "x", MpiLibrary::kMpich);
  REQUIRE(alone);
  CHECK(alone->advice.find("'srun --mpi=pmi2 -n 4 x'") != std::string::npos);
}

}  // namespace localbatch
