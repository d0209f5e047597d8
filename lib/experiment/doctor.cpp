#include "experiment/doctor.h"

#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "experiment/experiment_file.h"
#include "experiment/output_check.h"
#include "experiment/run_folder.h"

namespace localbatch {

namespace {

/// As a shell reads it back.
std::string quoted(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string text = "\"";
  for (const char c : word) {
    if (std::string_view("\"$`\\").find(c) != std::string_view::npos) text += '\\';
    text += c;
  }
  return text + '"';
}

/// The command line of a run without its launcher; "results" is where it writes if it is not told.
std::string run_command_line(const RunRequest& request) {
  std::string line = "localbatch run " + quoted(request.file.string());
  for (const std::string& setting : request.settings) line += " --set " + quoted(setting);
  if (request.output != "results") line += " --output " + quoted(request.output.string());
  if (request.force) line += " --force";
  return line;
}

}  // namespace

Plan read_plan(const RunRequest& request) {
  if (request.file.empty()) return {.output = request.output};
  RunRequest one = request;
  if (!one.cell) one.cell = 1;  // of several cells the first stands for all
  const auto [coordinates, experiment, folder] = read_request(one);
  return {.workers = experiment.workers,
          .threads_per_worker = experiment.problem.make ? 1 : experiment.threads_per_worker,
          .network = !experiment.problem.make,
          .command = run_command_line(request),
          .output = folder};
}

Plan plan_of(const RunRequest& request, const RunStart& start) {
  return {.workers = start.workers,
          .threads_per_worker = start.problem ? 1 : start.threads_per_worker,
          .network = !start.problem,
          .command = run_command_line(request),
          .output = start.folder,
          .output_bytes = start.parameters * sizeof(float)};
}

Diagnoses examine(std::span<const RankFacts> ranks, const Plan& plan) {
  Diagnoses all = diagnose(ranks, plan);
  const Diagnoses output = check_output(look_at_output(plan.output), plan);
  all.insert(all.end(), output.begin(), output.end());
  return all;
}

void check_before_run(std::span<const RankFacts> ranks, const Plan& plan,
                      const std::function<void(const std::string&)>& on_warning) {
  const Diagnoses all = examine(ranks, plan);
  const auto refusal = std::ranges::find(all, Severity::kRefusal, &Diagnosis::severity);
  if (refusal != all.end()) fail_input("{}", refusal->line());
  for (const Diagnosis& found : all)
    if (found.severity == Severity::kWarning) on_warning(found.line());
}

}  // namespace localbatch
