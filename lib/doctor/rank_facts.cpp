#include "doctor/rank_facts.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>
#include <utility>

#include "comm/agreement.h"
#include "core/json.h"
#include "core/machine.h"
#include "nn/execution.h"

namespace localbatch {

namespace {

std::string arithmetic_flags(const std::string& all) {
  static constexpr std::array<std::string_view, 17> kFlags{
      "fma",         "avx",         "avx2",     "avx_vnni", "avx512f",  "avx512bw",
      "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8", "avx512_fp16",
      "asimd",       "asimdhp",     "sve",      "sve2",     "bf16"};
  std::istringstream words(all);
  std::string found;
  for (std::string word; words >> word;)
    if (std::ranges::find(kFlags, word) != kFlags.end())
      found += fmt::format("{}{}", found.empty() ? "" : " ", word);
  return found;
}

Environment openmp_environment() {
  Environment environment;
  for (const char* const name :
       {"OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"})
    if (const char* const value = std::getenv(name)) environment[name] = value;
  return environment;
}

Environment mpi_environment() {
  Environment variables = variables_with(kMpiVariables);
  std::erase_if(variables, [](const auto& variable) { return !tunes_mpi(variable.first); });
  return variables;
}

/// The lists ("0,64" or "0-1") are ascending.
std::vector<int> first_siblings_of(const std::vector<int>& cores) {
  std::vector<int> first;
  for (const int core : cores) {
    std::ifstream list(
        fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", core));
    int number = 0;
    if (!(list >> number)) return {};
    first.push_back(number);
  }
  return first;
}

double system_clock() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

bool tunes_mpi(std::string_view name) {
  static constexpr std::array<std::string_view, 13> kOfLaunchers{
      "OMPI_MCA_ess",
      "OMPI_MCA_orte_",
      "OMPI_MCA_pmix",
      "OMPI_MCA_initial_wdir",
      "OMPI_MCA_mpi_oversubscribe",
      "OMPI_MCA_shmem_RUNTIME_QUERY_hint",
      "PRTE_MCA_ess",
      "PRTE_MCA_prte_",
      "PMIX_MCA_mca_base_component_show_load_errors",
      "I_MPI_HYDRA_UUID",
      "I_MPI_INFO_",
      "I_MPI_MPIRUN",
      "PMIX_MCA_psec"};
  const auto begins = [name](std::string_view beginning) { return name.starts_with(beginning); };
  return std::ranges::any_of(kMpiVariables, begins) && std::ranges::none_of(kOfLaunchers, begins);
}

RankFacts facts_of_this_rank(const ProcessGroup& processes) {
  const HostMemory memory = host_memory();
  const std::vector<int> cores = allowed_cores();
  const BuildInfo build = build_info();
  RankFacts facts{.rank = processes.rank(),
                  .num_ranks = processes.num_ranks(),
                  .host = host_name(),
                  .cpu = cpu_model(),
                  .instruction_set = onednn_instruction_set(),
                  .cpu_flags = arithmetic_flags(cpu_flags()),
                  .cores = cores,
                  .first_siblings = first_siblings_of(cores),
                  .reachable_cores = static_cast<int>(reachable_cores().size()),
                  .memory_bytes = memory.limit,
                  .available_bytes = memory.available,
                  .program = fmt::format("localbatch {} ({})", build.version, build.commit),
                  .onednn = onednn_version(),
                  .mpi = mpi_library_version(),
                  .environment = launch_environment()};
  facts.environment.merge(openmp_environment());
  facts.environment.merge(mpi_environment());
  return facts;
}

std::string to_text(const RankFacts& facts) {
  // Names of hosts and values of variables may be any bytes.
  return Json{{"rank", facts.rank},
              {"num_ranks", facts.num_ranks},
              {"host", facts.host},
              {"cpu", facts.cpu},
              {"instruction_set", facts.instruction_set},
              {"cpu_flags", facts.cpu_flags},
              {"cores", facts.cores},
              {"first_siblings", facts.first_siblings},
              {"reachable_cores", facts.reachable_cores},
              {"memory_bytes", facts.memory_bytes},
              {"available_bytes", facts.available_bytes},
              {"program", facts.program},
              {"onednn", facts.onednn},
              {"mpi", facts.mpi},
              {"environment", facts.environment},
              {"clock", facts.clock}}
      .dump(-1, ' ', true, Json::error_handler_t::replace);
}

RankFacts rank_facts_from(const std::string& text) {
  const Json json = Json::parse(text);
  const auto read = [&json]<class Value>(const char* key, Value& value) {
    value = json.value(key, value);
  };
  RankFacts facts;
  read("rank", facts.rank);
  read("num_ranks", facts.num_ranks);
  read("host", facts.host);
  read("cpu", facts.cpu);
  read("instruction_set", facts.instruction_set);
  read("cpu_flags", facts.cpu_flags);
  read("cores", facts.cores);
  read("first_siblings", facts.first_siblings);
  read("reachable_cores", facts.reachable_cores);
  read("memory_bytes", facts.memory_bytes);
  read("available_bytes", facts.available_bytes);
  read("program", facts.program);
  read("onednn", facts.onednn);
  read("mpi", facts.mpi);
  read("environment", facts.environment);
  read("clock", facts.clock);
  return facts;
}

std::vector<int> shares_of_cores(std::span<const RankFacts> ranks) {
  std::map<std::pair<std::string, int>, int> users;
  for (const RankFacts& rank : ranks)
    for (const int core : rank.cores) ++users[{rank.host, core}];
  std::vector<int> shares;
  shares.reserve(ranks.size());
  for (const RankFacts& rank : ranks) {
    double share = rank.cores.empty() ? rank.reachable_cores : 0;
    for (const int core : rank.cores) share += 1.0 / users[{rank.host, core}];
    constexpr double kRounding = 1e-6;
    shares.push_back(std::max(1, static_cast<int>(share + kRounding)));
  }
  return shares;
}

std::vector<RankFacts> gather_facts(ProcessGroup& processes) {
  RankFacts mine = facts_of_this_rank(processes);
  Mailbox(processes).max(0);
  mine.clock = system_clock();
  std::vector<RankFacts> facts;
  for (const std::string& text : gather_texts(to_text(mine), processes))
    facts.push_back(rank_facts_from(text));
  return facts;
}

std::vector<std::string> binding_variables(const RankFacts& facts) {
  std::vector<std::string> names;
  for (const char* const name : {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"})
    if (const auto variable = facts.environment.find(name);
        variable != facts.environment.end() && variable->second != "false")
      names.emplace_back(name);
  return names;
}

std::string number_ranges(std::span<const int> numbers) {
  constexpr int kMostRanges = 8;
  std::string text;
  int ranges = 0;
  for (std::size_t begin = 0, end = 0; begin < numbers.size(); begin = end, ++ranges) {
    if (ranges == kMostRanges) return text + ",...";
    end = begin + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    text += fmt::format("{}{}", text.empty() ? "" : ",", numbers[begin]);
    if (end - begin > 1) text += fmt::format("-{}", numbers[end - 1]);
  }
  return text;
}

}  // namespace localbatch
