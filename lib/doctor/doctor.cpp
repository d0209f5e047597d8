#include "doctor/doctor.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "doctor/output_check.h"

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

std::string launch_line(const RankFacts& rank, int num_ranks, std::string_view mpirun_flags,
                        std::string_view srun_flags, const Launch& launch) {
  return starts_with_srun(rank)
             ? fmt::format("'srun --mpi=pmix -n {}{} {}'", num_ranks, srun_flags, launch.command)
             : fmt::format("'mpirun -np {}{} {}'", num_ranks, mpirun_flags, launch.command);
}

std::string counted(int count, std::string_view thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

Diagnoses diagnose(std::span<const RankFacts> ranks, const Launch& launch) {
  Diagnoses all = check_launch(ranks, launch);
  const auto add = [&all](const Diagnoses& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  add(check_shares(ranks, launch));
  if (std::ranges::find(all, Severity::kRefusal, &Diagnosis::severity) == all.end()) {
    add(check_cores(ranks, launch));
    add(check_openmp(ranks, launch));
  }
  add(check_cpus(ranks));
  add(check_versions(ranks));
  return all;
}

Diagnoses examine(std::span<const RankFacts> ranks, const Launch& launch) {
  Diagnoses all = diagnose(ranks, launch);
  const Diagnoses output = check_output(look_at_output(launch.output), launch);
  all.insert(all.end(), output.begin(), output.end());
  return all;
}

void check_before_run(std::span<const RankFacts> ranks, const Launch& launch,
                      const std::function<void(const std::string&)>& on_warning) {
  const Diagnoses all = examine(ranks, launch);
  const auto refusal = std::ranges::find(all, Severity::kRefusal, &Diagnosis::severity);
  if (refusal != all.end()) fail_input("{}", refusal->line());
  for (const Diagnosis& found : all)
    if (found.severity == Severity::kWarning) on_warning(found.line());
}

}  // namespace localbatch
