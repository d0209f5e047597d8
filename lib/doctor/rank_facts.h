#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "comm/launch.h"
#include "comm/process_group.h"

namespace localbatch {

/// The facts that a rank knows about itself before anything has started.
struct RankFacts {
  int rank = 0, num_ranks = 1;
  std::string host = {};
  std::string cpu = {};              ///< model, "AMD EPYC 9654"
  std::string instruction_set = {};  ///< as oneDNN names it
  std::string cpu_flags = {};   ///< the flags that decide which instructions compute: "avx2 fma"
  std::vector<int> cores = {};  ///< numbers of those that this process may use, ascending
  /// The least number among the SMT siblings of each of these, so that siblings have the same one;
  /// empty where the system does not tell.
  std::vector<int> first_siblings = {};
  int reachable_cores = 0;  ///< how many it could use if nobody had bound it
  std::uint64_t memory_bytes = 0, available_bytes = 0;  ///< see HostMemory
  std::string program = {};                             ///< "localbatch 0.1.0 (82a3597)"
  std::string onednn = {}, mpi = {};                    ///< versions
  Environment environment = {};  ///< variables of launchers, of MPI and of OpenMP
  double clock = 0;  ///< of the system in seconds, at the moment when all ranks meet; 0: not known
};

RankFacts facts_of_this_rank(const ProcessGroup& processes);

// One line of JSON and back. What another version of the program left out has its default.
std::string to_text(const RankFacts& facts);
RankFacts rank_facts_from(const std::string& text);

/// Whether a variable tunes an MPI library or the network below it. Those by which a launcher tells
/// a process about its job do not count.
bool tunes_mpi(std::string_view name);

/// On how many cores each of these ranks computes, which are all of a job: those that it may use,
/// shared evenly with the ranks of its host that may use them too, and at least one. So ranks that
/// nobody has bound do not all count the same cores.
std::vector<int> shares_of_cores(std::span<const RankFacts> ranks);

/// The facts of all ranks in rank order, on every rank. Collective.
std::vector<RankFacts> gather_facts(ProcessGroup& processes);

/// Names of the variables that make OpenMP bind threads to cores, among them the main thread, from
/// which all workers descend.
std::vector<std::string> binding_variables(const RankFacts& facts);

/// Numbers in ascending order as people write them: "0-3,8"; of a longer list the beginning.
std::string number_ranges(std::span<const int> numbers);

}  // namespace localbatch
