#include "experiment/branch.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "batching/schedules.h"
#include "core/parse.h"
#include "experiment/experiment.h"

namespace localbatch {

namespace {

constexpr std::int64_t kMostLocalBatch = std::numeric_limits<std::int32_t>::max();

}  // namespace

std::optional<BranchPlan> read_branch_plan(Options& file, std::int64_t max_samples) {
  std::optional<Options> given = file.optional_part(
      "branches",
      "branches of this run, which 'localbatch branch' makes to measure how large a local batch "
      "can be at a point without making the loss worse");
  if (!given) return {};
  Options& part = *given;
  BranchPlan plan{
      .at = part.integers(
          "at", {.min = 1,
                 .ascending = true,
                 .meaning = "samples, of all workers together, at which the run is branched: a "
                            "checkpoint behind the first round that reaches them is kept"}),
      .local_batch_sizes =
          part.integers("local_batch_sizes", {.min = 1,
                                              .max = kMostLocalBatch,
                                              .ascending = true,
                                              .meaning = "b, a branch for each at every point"}),
      .samples = part.integer("samples", {.min = 1,
                                          .meaning = "how far a branch goes, of all workers "
                                                     "together: it ends at `at` + `samples`"}),
      .repeats = part.integer<int>("repeats",
                                   {.fallback = 1,
                                    .min = 1,
                                    .max = 1000,
                                    .meaning = "branches of each size, which see different data"}),
      .loss = part.choice<BranchLoss>(
          "loss", {.fallback = BranchLoss::kTrain,
                   .choices = {{"train", BranchLoss::kTrain}, {"test", BranchLoss::kTest}},
                   .meaning = "what is compared: the mean training loss of a branch's rounds, or "
                              "the test loss at its end, which is noisier"}),
      .tolerance = part.number(
          "tolerance", {.fallback = 0.01,
                        .min = 0,
                        .meaning = "by how much more loss than the smallest one a local batch "
                                   "counts as no worse"})};
  const std::int64_t last = plan.at.empty() ? 0 : plan.at.back();
  if (last + plan.samples > max_samples)
    part.fail("samples", fmt::format("found {}, with which the branch at {} would end at {}, and "
                                     "the run does at {}",
                                     plan.samples, last, last + plan.samples, max_samples));
  return plan;
}

std::vector<std::int64_t> read_kept_checkpoints(Options& file, std::int64_t max_samples) {
  std::optional<Options> given =
      file.optional_part("checkpoint", "checkpoints that stay; no influence on results");
  if (!given) return {};
  Options& part = *given;
  std::vector<std::int64_t> keep_at = part.integers(
      "keep_at", {.fallback = std::vector<std::int64_t>(),
                  .min = 1,
                  .ascending = true,
                  .meaning = "samples, of all workers together: a checkpoint behind the first "
                             "round that reaches them is kept, to branch from"});
  if (!keep_at.empty() && keep_at.back() > max_samples)
    part.fail("keep_at", fmt::format("found {}, expected at most {}, where the run ends",
                                     keep_at.back(), max_samples));
  return keep_at;
}

std::optional<Branch> read_branch(Options& file) {
  std::optional<Options> given =
      file.optional_part("branch",
                         "makes this run a branch of another one, from whose "
                         "checkpoint it goes on; written by 'localbatch branch'");
  if (!given) return {};
  Options& part = *given;
  return Branch{
      .at = part.integer("at", {.min = 1, .meaning = "samples, as in `branches`"}),
      .local_batch_size = part.integer<int>(
          "local_batch_size", {.min = 1, .max = kMostLocalBatch, .meaning = "b of all its rounds"}),
      .samples = part.integer("samples", {.min = 1, .meaning = "as in `branches`"}),
      .repeat = part.integer<int>(
          "repeat",
          {.min = 1,
           .max = 1000,
           .meaning = "which of several that see other data; where rounds end behind the branch's "
                      "samples, a few draws are the first ones of the next repeat"})};
}

void become_branch(const Branch& branch, Experiment& experiment) {
  LocalSgd& method = experiment.method;
  method.scheduled_samples = method.max_samples;
  method.max_samples = branch.at + branch.samples;
  method.branch_local_batch_size = branch.local_batch_size;
  method.controller = make_fixed();
  method.limits.min = std::min(method.limits.min, branch.local_batch_size);
  method.limits.max = std::max(method.limits.max, branch.local_batch_size);
  method.observer_needs = {};
  method.audit.every_rounds = 0;
  experiment.shadow_controllers.clear();
  experiment.kept_checkpoints.clear();
  const std::int64_t of_worker = (branch.samples + experiment.workers - 1) / experiment.workers;
  experiment.passed_over = (branch.repeat - 1) * of_worker;
}

std::int64_t samples_at_end(std::span<const KeyValue> settings) {
  const auto at = integer_in(value_of(settings, "branch.at")),
             samples = integer_in(value_of(settings, "branch.samples"));
  // A file that somebody has written by hand can have any numbers.
  const bool is_branch = at && samples && *at > 0 && *samples > 0 &&
                         *at <= std::numeric_limits<std::int64_t>::max() - *samples;
  if (is_branch) return *at + *samples;
  return integer_in(value_of(settings, "max_samples")).value_or(0);
}

std::vector<Branch> branches_of(const BranchPlan& plan) {
  std::vector<Branch> branches;
  for (const std::int64_t at : plan.at)
    for (int repeat = 1; repeat <= plan.repeats; ++repeat)
      for (const std::int64_t b : plan.local_batch_sizes)
        branches.push_back({.at = at,
                            .local_batch_size = static_cast<int>(b),
                            .samples = plan.samples,
                            .repeat = repeat});
  return branches;
}

}  // namespace localbatch
