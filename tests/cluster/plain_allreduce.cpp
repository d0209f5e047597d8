// How long MPI alone takes to sum an array over its ranks, and how the ranks are placed: what
// 'localbatch bench sync' is compared with. One line of JSON, from rank 0.
//   plain_allreduce [FLOATS [REPETITIONS [BITS_PER_SECOND_OF_THE_LINK]]]

#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr int kParametersOfResNet18 = 11173962;

/// Where one rank runs.
struct Place {
  std::array<char, MPI_MAX_PROCESSOR_NAME> host{};
  int cores = 0;       ///< that it may use
  int first_core = 0;  ///< of these
  int neighbours = 0;  ///< ranks that share memory with it, itself included
};

Place my_place() {
  Place place;
  int length = 0;
  MPI_Get_processor_name(place.host.data(), &length);
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof allowed, &allowed);
  place.cores = CPU_COUNT(&allowed);
  while (!CPU_ISSET(place.first_core, &allowed)) ++place.first_core;
  MPI_Comm host = MPI_COMM_NULL;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
  MPI_Comm_size(host, &place.neighbours);
  MPI_Comm_free(&host);
  return place;
}

/// On rank 0, the place of every rank.
std::vector<Place> gather_places(int rank, int num_ranks) {
  const Place mine = my_place();
  std::vector<Place> places(rank == 0 ? num_ranks : 0);
  MPI_Gather(&mine, sizeof mine, MPI_BYTE, places.data(), sizeof mine, MPI_BYTE, 0, MPI_COMM_WORLD);
  return places;
}

/// Of the slowest rank in each repetition, in ascending order.
std::vector<double> measure(int floats, int repetitions, int rank) {
  std::vector<float> mine(floats, static_cast<float>(rank)), sum(floats);
  const auto add = [&] {
    MPI_Allreduce(mine.data(), sum.data(), floats, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
  };
  add();
  add();
  std::vector<double> seconds(repetitions);
  for (double& each : seconds) {
    MPI_Barrier(MPI_COMM_WORLD);
    const double begin = MPI_Wtime();
    add();
    each = MPI_Wtime() - begin;
    MPI_Allreduce(MPI_IN_PLACE, &each, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  }
  std::ranges::sort(seconds);
  return seconds;
}

void print(int floats, double link_rate, const std::vector<double>& seconds,
           const std::vector<Place>& places) {
  std::string ranks;
  for (const Place& place : places) {
    ranks += ranks.empty() ? "" : ", ";
    ranks += "{\"host\": \"" + std::string(place.host.data()) +
             "\", \"cores\": " + std::to_string(place.cores) +
             ", \"first_core\": " + std::to_string(place.first_core) +
             ", \"neighbours\": " + std::to_string(place.neighbours) + "}";
  }
  // A reduce-scatter and an all-gather between two hosts: half of the array each, in each
  // direction.
  const double limit = 8.0 * sizeof(float) * floats / link_rate;
  std::printf(
      "{\"floats\": %d, \"repetitions\": %zu, \"median_seconds\": %.6f, \"best_seconds\": %.6f, "
      "\"worst_seconds\": %.6f, \"link_seconds\": %.6f, \"ranks\": [%s]}\n",
      floats, seconds.size(), seconds[seconds.size() / 2], seconds.front(), seconds.back(), limit,
      ranks.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const int floats = argc > 1 ? std::atoi(argv[1]) : kParametersOfResNet18;
  const int repetitions = argc > 2 ? std::atoi(argv[2]) : 7;
  const double link_rate = argc > 3 ? std::atof(argv[3]) : 1e9;
  int rank = 0, num_ranks = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &num_ranks);
  if (floats < 1 || repetitions < 1 || link_rate <= 0) {
    if (rank == 0) std::fprintf(stderr, "plain_allreduce: numbers have to be positive\n");
    MPI_Finalize();
    return 2;
  }
  const std::vector<Place> places = gather_places(rank, num_ranks);
  const std::vector<double> seconds = measure(floats, repetitions, rank);
  if (rank == 0) print(floats, link_rate, seconds, places);
  MPI_Finalize();
}
