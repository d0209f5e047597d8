#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "experiment/diagnosis.h"

namespace localbatch {

namespace {

using Value = std::function<std::string(const RankFacts&)>;

/// "n1, n2 and 14 more"
std::string host_list(const std::vector<std::string>& hosts) {
  constexpr std::size_t kMost = 4;
  const std::size_t named = std::min(hosts.size(), kMost);
  const std::string names =
      fmt::format("{}", fmt::join(hosts.begin(), hosts.begin() + named, ", "));
  return hosts.size() == named ? names : fmt::format("{} and {} more", names, hosts.size() - named);
}

/// "2.6.3 on n1; 3.1.0 on n2, n3" when a value is not the same everywhere, else nothing.
std::string differences(std::span<const RankFacts> ranks, const Value& value) {
  std::map<std::string, std::vector<std::string>> hosts_of;
  for (const RankFacts& rank : ranks) {
    std::vector<std::string>& hosts = hosts_of[value(rank)];
    if (std::ranges::find(hosts, rank.host) == hosts.end()) hosts.push_back(rank.host);
  }
  if (hosts_of.size() < 2) return {};
  std::vector<std::string> parts;
  parts.reserve(hosts_of.size());
  for (const auto& [text, hosts] : hosts_of)
    parts.push_back(fmt::format("{} on {}", text, host_list(hosts)));
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string instructions(const RankFacts& rank) {
  return fmt::format("{} ({})", rank.instruction_set, rank.cpu_flags);
}

}  // namespace

Diagnoses check_cpus(std::span<const RankFacts> ranks) {
  // Not a refusal: the run is correct. But oneDNN's kernels, and with them the rounding of results,
  // follow the instruction set, so it takes the same mix of machines to repeat it.
  if (const std::string found = differences(ranks, instructions); !found.empty())
    return {{.severity = Severity::kWarning,
             .text = "the CPUs have different instruction sets: " + found +
                     ". The bytes of results will depend on which worker runs where",
             .advice = "start on hosts of one kind (Slurm: --constraint=FEATURE)"}};
  if (const std::string found = differences(ranks, &RankFacts::cpu); !found.empty())
    return {{.severity = Severity::kWarning,
             .text = "the CPUs are different: " + found + ". Every round waits for the slowest",
             .advice = "start on hosts of one kind (Slurm: --constraint=FEATURE)"}};
  return {{.text = "one kind of CPU: " + ranks.front().cpu}};
}

Diagnoses check_versions(std::span<const RankFacts> ranks) {
  Diagnoses found;
  const auto compare = [&](const char* what, const Value& value) {
    if (const std::string different = differences(ranks, value); !different.empty())
      found.push_back({.severity = Severity::kRefusal,
                       .text = fmt::format("the ranks have different {}: {}", what, different),
                       .advice = "start one build with the same libraries on all hosts"});
  };
  compare("programs", &RankFacts::program);
  compare("versions of oneDNN", &RankFacts::onednn);
  compare("versions of MPI", &RankFacts::mpi);
  if (found.empty()) {
    const RankFacts& first = ranks.front();
    found.push_back(
        {.text = fmt::format("{}, oneDNN {}, {}", first.program, first.onednn, first.mpi)});
  }
  return found;
}

}  // namespace localbatch
