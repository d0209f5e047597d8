#include "doctor/doctor.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "comm/workers.h"
#include "core/error.h"
#include "core/text.h"
#include "doctor/output_check.h"
#include "train/slot_pool.h"

namespace localbatch {

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::kOk:
      return "ok";
    case Severity::kNote:
      return "note";
    case Severity::kWarning:
      return "warning";
    case Severity::kRefusal:
      return "refusal";
  }
  return "";
}

std::string Diagnosis::line() const {
  return advice.empty() ? text : fmt::format("{}; {}", text, advice);
}

bool starts_with_srun(const RankFacts& rank) {
  const Launcher by = launcher(rank.environment);
  return by == Launcher::kSrun ||
         (by == Launcher::kNone && rank.environment.contains("SLURM_JOB_ID"));
}

namespace {

/// The words by which the mpirun of a library gives each rank its cores.
std::string binding_words(MpiLibrary library, int cores) {
  switch (library) {
    case MpiLibrary::kOpenMpi:
      return cores == kUnbound ? " --bind-to none"
                               : fmt::format(" --map-by slot:PE={} --bind-to core", cores);
    case MpiLibrary::kMpich:
      return cores == kUnbound ? " -bind-to none" : fmt::format(" -bind-to core:{}", cores);
    case MpiLibrary::kIntel:
      return cores == kUnbound ? " -genv I_MPI_PIN 0"
                               : fmt::format(" -genv I_MPI_PIN_DOMAIN {}", cores);
  }
  return {};
}

}  // namespace

std::string launch_line(const RankFacts& rank, int num_ranks, std::optional<int> cores,
                        const Launch& launch) {
  const MpiLibrary library = mpi_library(rank.mpi);
  if (!starts_with_srun(rank))
    return fmt::format("'mpirun -np {}{} {}'", num_ranks,
                       cores ? binding_words(library, *cores) : "", launch.command);
  std::string line = fmt::format(
      "'srun {} -n {}{} {}'", option_of_srun(library), num_ranks,
      cores.value_or(kUnbound) == kUnbound ? "" : fmt::format(" --cpus-per-task={}", *cores),
      launch.command);
  // Intel MPI comes with a PMI of its own, which Slurm does not speak.
  if (library == MpiLibrary::kIntel && !rank.environment.contains("I_MPI_PMI_LIBRARY"))
    line += " with I_MPI_PMI_LIBRARY=PATH of Slurm's libpmi2.so";
  return line;
}

int hosted_by(const RankFacts& rank, const Launch& launch) {
  return launch.workers ? hosted_workers(*launch.workers, rank.rank, rank.num_ranks).count : 1;
}

int computing_threads(const RankFacts& rank, int share, const Launch& launch) {
  return execution_slots(share, launch.threads_per_worker, hosted_by(rank, launch)) *
         launch.threads_per_worker;
}

bool has_refusal(const Diagnoses& found) {
  return std::ranges::find(found, Severity::kRefusal, &Diagnosis::severity) != found.end();
}

Diagnoses diagnose(std::span<const RankFacts> ranks, const Launch& launch) {
  Diagnoses all = check_launch(ranks, launch);
  const auto add = [&all](const Diagnoses& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  add(check_shares(ranks, launch));
  if (!has_refusal(all)) {
    add(check_cores(ranks, launch));
    add(check_siblings(ranks, launch));
    add(check_memory(ranks, launch));
    add(check_openmp(ranks, launch));
  }
  add(check_cpus(ranks));
  add(check_versions(ranks));
  add(check_clocks(ranks));
  return all;
}

Diagnoses examine(std::span<const RankFacts> ranks, const Launch& launch) {
  Diagnoses all = diagnose(ranks, launch);
  const Diagnoses output = check_output(look_at_output(launch.output, launch.may_write), launch);
  all.insert(all.end(), output.begin(), output.end());
  return all;
}

void act_on(const Diagnoses& found, const std::function<void(const std::string&)>& on_warning) {
  const auto refusal = std::ranges::find(found, Severity::kRefusal, &Diagnosis::severity);
  if (refusal != found.end()) fail_input("{}", refusal->line());
  for (const Diagnosis& diagnosis : found)
    if (diagnosis.severity == Severity::kWarning) on_warning(diagnosis.line());
}

Diagnoses check_memory(std::span<const RankFacts> ranks, const Launch& launch) {
  struct Host {
    std::uint64_t there = 0, needed = 0;
  };
  if (!launch.workers || !launch.memory) return {};
  std::map<std::string, Host> hosts;
  const std::vector<int> shares = shares_of_cores(ranks);
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const RankFacts& rank = ranks[i];
    const int hosted = hosted_by(rank, launch);
    const int cores = std::max(1, shares[i] / launch.runs);
    Host& host = hosts[rank.host];
    host.there = std::max(host.there, rank.memory_bytes);
    host.needed += static_cast<std::uint64_t>(launch.runs) *
                   launch.memory(hosted, execution_slots(cores, launch.threads_per_worker, hosted));
  }
  std::uint64_t most = 0;
  for (const auto& [name, host] : hosts) {
    most = std::max(most, host.needed);
    if (host.there > 0 && host.needed > host.there)
      return {
          {Severity::kRefusal,
           fmt::format("{} on {} need{} about {} of memory, and there are {}",
                       launch.runs == 1 ? "the workers" : counted(launch.runs, "run"), name,
                       launch.runs == 1 ? "" : " together", size_text(host.needed),
                       size_text(host.there)),
           "start it on more hosts, or with fewer workers ('localbatch plan' shows the parts)"}};
  }
  return {{.text = fmt::format("the workers of a host need about {} of memory", size_text(most))}};
}

}  // namespace localbatch
