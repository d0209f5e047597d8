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
