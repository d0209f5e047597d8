#include "experiment/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>

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

Diagnoses diagnose(std::span<const RankFacts> ranks, const Plan& plan) {
  Diagnoses all = check_launch(ranks, plan);
  const auto add = [&all](const Diagnoses& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  add(check_shares(ranks, plan));
  if (std::ranges::find(all, Severity::kRefusal, &Diagnosis::severity) == all.end()) {
    add(check_cores(ranks, plan));
    add(check_openmp(ranks, plan));
  }
  add(check_cpus(ranks));
  add(check_versions(ranks));
  return all;
}

}  // namespace localbatch
