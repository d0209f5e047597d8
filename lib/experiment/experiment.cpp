#include "experiment/experiment.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "experiment/communication.h"

namespace localbatch {

namespace {

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int32_t>::max();

void read_batch_size(Options& options, TaskFactory& task, Experiment& experiment) {
  Options batch_size = options.part("batch_size", "samples per worker and local step");
  experiment.method.initial_local_batch_size = batch_size.integer<int>(
      "initial", {.fallback = 32, .min = 1, .max = kNoLimit, .meaning = "b of the first round"});
  task.read_batch_size(batch_size);
  Options controller = options.part("batch_size_controller",
                                    "the rule that says how large the next local batch should be");
  experiment.method.limits = read_batch_size_limits(batch_size, controller);
  experiment.method.controller =
      make_part(batch_size_controller_table(), controller, "fixed", "which implementation");
  const BatchSizeLimits& limits = experiment.method.limits;
  if (experiment.method.initial_local_batch_size < limits.min ||
      experiment.method.initial_local_batch_size > limits.max)
    batch_size.fail(
        "initial", fmt::format("found {}, allowed is min .. max = {} .. {}",
                               experiment.method.initial_local_batch_size, limits.min, limits.max));
}

/// "norm_test eta=0.8"
std::string settings_of(const Options& part) {
  std::string settings;
  for (const Declaration& key : part.declarations())
    settings += key.key == "name" ? key.value : fmt::format(" {}={}", key.key, key.value);
  return settings;
}

void read_shadow_controllers(Options& options, Experiment& experiment) {
  for (Options& part : options.parts(
           "shadow_controllers",
           "controllers that look at the same statistics and do not act; what each would do goes "
           "to controllers.csv")) {
    auto controller = make_part(batch_size_controller_table(), part, "", "which implementation");
    StatisticsNeeds& needs = experiment.method.observer_needs;
    needs = needs | controller->needs();
    experiment.shadow_controllers.push_back({settings_of(part), std::move(controller)});
  }
}

void check_audit(const Options& audit, const Experiment& experiment) {
  const AuditOptions& read = experiment.method.audit;
  const bool couples = experiment.task->couples_samples();
  if (read.samples_in_batch && !couples)
    audit.fail("samples_in_batch",
               "found true, which is for networks with batch norm: the samples of this one are "
               "independent");
  if (read.every_rounds == 0) return;
  const int each =
      couples ? std::min(*experiment.task->micro_batch(), experiment.method.limits.max) : 1;
  const std::int64_t least = std::int64_t{2} * experiment.workers * each;
  if (read.samples >= least) return;
  audit.fail("samples",
             couples ? fmt::format("found {}, allowed is at least {}: two micro-batches of {} for "
                                   "each of {} workers, as batch norm couples their samples",
                                   read.samples, least, each, experiment.workers)
                     : fmt::format("found {}, allowed is at least 2 for each of {} workers",
                                   read.samples, experiment.workers));
}

/// A variance takes two chunks with a mean of their own. Where the first round has fewer, no test
/// can ever let the batch grow to more of them.
void check_chunks(const Options& statistics, const Experiment& experiment) {
  const LocalSgd& method = experiment.method;
  const int b = method.initial_local_batch_size;
  const std::optional<int> micro_batch = experiment.task->micro_batch();
  switch (method.statistics.chunks) {
    case Chunks::kWorkers:
    case Chunks::kDelta:
      if (experiment.workers < 2)
        statistics.fail(
            "chunks", fmt::format("found '{}', which needs at least two workers, and workers is "
                                  "1; allowed here is {}samples",
                                  method.statistics.chunks == Chunks::kDelta ? "delta" : "workers",
                                  micro_batch ? "micro_batches | " : ""));
      return;
    case Chunks::kMicroBatches:
      if (b <= *micro_batch)
        statistics.fail("chunks",
                        fmt::format("found 'micro_batches', which needs at least two of them in a "
                                    "local batch: batch_size.initial is {}, micro_batch is {}",
                                    b, *micro_batch));
      return;
    case Chunks::kSamples:
      if (b < 2)
        statistics.fail("chunks",
                        "found 'samples', which needs at least two of them in a local batch: "
                        "batch_size.initial is 1");
  }
}

/// How gradients are measured, and whether the other parts allow it.
void read_statistics(Options& options, Experiment& experiment) {
  LocalSgd& method = experiment.method;
  Options statistics =
      options.part("gradient_statistics", "what batch-size tests measure, and how");
  method.statistics = read_statistics_options(statistics);
  Options audit = options.part(
      "audit", "statistics of independent gradients beside those that a test looks at");
  method.audit = read_audit_options(audit);
  read_shadow_controllers(options, experiment);

  const Chunks chunks = method.statistics.chunks;
  const StatisticsNeeds needs = method.controller->needs() | method.observer_needs;
  if (chunks == Chunks::kDelta && !method.inner_steps)
    statistics.fail("chunks",
                    "found 'delta', which is for inner_optimizer: sgd without clip_norm, whose "
                    "steps are linear in the gradients; allowed here is workers | micro_batches | "
                    "samples");
  if (chunks == Chunks::kSamples && experiment.task->couples_samples())
    statistics.fail("chunks",
                    "found 'samples', but batch norm couples the samples of a micro-batch, so that "
                    "their variance is not the noise of the mean gradient; allowed here is workers "
                    "| micro_batches | delta, or model: {norm: group_norm}");
  if (needs.coordinates && chunks != Chunks::kWorkers)
    statistics.fail("chunks", "found no 'workers', which coordinate_norm_test needs");
  if (chunks == Chunks::kMicroBatches && !experiment.task->micro_batch())
    statistics.fail("chunks", "found 'micro_batches', which is for problem: network");
  if (needs.any() || method.learning_rate_coupling.needs_statistics)
    check_chunks(statistics, experiment);
  check_audit(audit, experiment);
}

void read_run(Options& options, Experiment& experiment) {
  experiment.name = options.text(
      "experiment", {.fallback = "experiment", .meaning = "name of the folder that results go to"});
  const std::string& name = experiment.name;
  if (name.empty() || name.find('/') != std::string::npos || name.front() == '.')
    options.fail("experiment", fmt::format("found '{}', expected a name for a folder", name));
  experiment.seed = options.integer<std::uint64_t>(
      "seed", {.fallback = 1, .min = 0, .meaning = "of all random numbers of the run"});
  experiment.workers = options.integer<int>(
      "workers", {.fallback = 1,
                  .min = 1,
                  .max = 65536,
                  .meaning = "M; they run on any number of MPI ranks up to M"});
  experiment.threads_per_worker = options.integer<int>(
      "threads_per_worker",
      {.fallback = 1,
       .min = 1,
       .max = 1024,
       .meaning = "threads that work on a worker's local step; no influence on results"});
  experiment.method.max_samples = options.integer(
      "max_samples",
      {.fallback = {}, .min = 1, .meaning = "budget of all workers together, in samples"});
}

/// The rules that move parameters, and those that say how fast and how often.
void read_rules(Options& options, Experiment& experiment) {
  LocalSgd& method = experiment.method;
  experiment.inner_optimizer = read_part(options, "inner_optimizer", inner_optimizer_table(), "sgd",
                                         "the rule of a local step");
  experiment.make_outer_optimizer = read_part(options, "outer_optimizer", outer_optimizer_table(),
                                              "averaging", "the rule of a synchronization");
  method.learning_rate = read_part(options, "learning_rate", learning_rate_table(), "constant",
                                   "a function of the samples processed");
  method.learning_rate_coupling =
      read_part(options, "learning_rate_coupling", learning_rate_coupling_table(), "none",
                "what the learning rate does when the local batch grows");
  method.sync_interval = read_part(options, "sync_interval", sync_interval_table(), "constant",
                                   "H, local steps between two synchronizations");
  method.num_workers = experiment.workers;
  method.inner_steps = experiment.inner_optimizer.linear;
  method.velocity_at_sync = experiment.inner_optimizer.at_sync;
}

void read_evaluation(Options& options, Experiment& experiment) {
  Options evaluation = options.part("evaluation", "of the averaged model on the test set");
  experiment.evaluate_every_samples = evaluation.integer(
      "every_samples",
      {.fallback = 0, .min = 0, .meaning = "samples between evaluations, 0: once per epoch"});
  experiment.max_test_samples = evaluation.integer(
      "max_samples",
      {.fallback = 0,
       .min = 0,
       .meaning = "most test samples that an evaluation looks at, spread evenly over "
                  "the test set and the same in every one; 0: all"});
  if (experiment.max_test_samples > 0 && !experiment.task->has_network())
    evaluation.fail("max_samples",
                    fmt::format("found {}, which is for problem: network; others have no test set",
                                experiment.max_test_samples));
  const std::optional<std::int64_t> averaged_over = evaluation.optional_integer(
      "averaged_over",
      {.min = 0,
       .meaning = "also evaluates the mean of the global parameters over rounds, which after a "
                  "round of s samples keeps exp(-s/averaged_over) of its distance from them; 0: "
                  "does not"});
  experiment.averaged_over = averaged_over.value_or(0);
  if (experiment.averaged_over > 0 && !experiment.task->evaluates_any_parameters())
    evaluation.fail(
        "averaged_over",
        experiment.task->has_network()
            ? "found with batch norm, whose running statistics are those of other parameters; "
              "allowed with batch_norm_at_sync: recompute"
            : "found a mean to evaluate, which is for problem: network; others have no test set");
}

void read_branching(Options& options, Experiment& experiment) {
  const std::int64_t max_samples = experiment.method.max_samples;
  experiment.kept_checkpoints = read_kept_checkpoints(options, max_samples);
  experiment.branches = read_branch_plan(options, max_samples);
  if (experiment.branches) {
    std::vector<std::int64_t> all;
    std::ranges::set_union(experiment.kept_checkpoints, experiment.branches->at,
                           std::back_inserter(all));
    experiment.kept_checkpoints = std::move(all);
  }
  experiment.branch = read_branch(options);
  if (experiment.branch) become_branch(*experiment.branch, experiment);
}

}  // namespace

std::unique_ptr<Task> load_task(const Experiment& experiment, TaskUse use) {
  return experiment.task->load({.num_workers = experiment.workers,
                                .threads = experiment.worker_threads(),
                                .seed = experiment.seed,
                                .max_samples = experiment.method.max_samples,
                                .max_test_samples = experiment.max_test_samples,
                                .passed_over = experiment.passed_over,
                                .only_outline = use == TaskUse::kOutline,
                                .inner_optimizer = experiment.inner_optimizer});
}

namespace {

/// The text of a key at the top level; empty when the task has no such key.
std::string top_value(const Experiment& experiment, std::string_view key) {
  const auto found = std::ranges::find(experiment.resolved, key, &Declaration::key);
  return found == experiment.resolved.end() ? std::string() : found->value;
}

/// What is doubtful about running statistics of batch norm, which are averages that forget.
void look_at_batch_norm(const Experiment& experiment, int micro_batch,
                        std::vector<std::string>& doubts) {
  const LocalSgd& method = experiment.method;
  const int b = method.initial_local_batch_size;
  if (std::min(b, micro_batch) == 1)
    doubts.push_back(fmt::format(
        "batch norm over micro-batches of one sample, whose variance is that of its own "
        "pixels: batch_size.initial is {} and micro_batch {}; make both larger, or "
        "take model.norm=group_norm",
        b, micro_batch));
  const std::string policy = top_value(experiment, "batch_norm_at_sync");
  if (policy == "recompute") return;
  const std::int64_t steps =
      (method.max_samples + std::int64_t{experiment.workers} * b - 1) / experiment.workers / b;
  const std::int64_t round = method.wanted_sync_interval({.local_batch_size = b});
  const std::int64_t seen =
      (policy == "reset" ? std::min(round, steps) : steps) * ((b + micro_batch - 1) / micro_batch);
  constexpr std::int64_t kForgotten = 44;  // 0.9^44 is 1 %
  if (seen < kForgotten)
    doubts.push_back(fmt::format(
        "running statistics of batch norm are averages over about {} micro-batches, too "
        "few to forget where they began, so evaluations mean little; "
        "batch_norm_at_sync=recompute measures them anew, a larger max_samples makes "
        "the run longer",
        seen));
}

}  // namespace

std::vector<std::string> doubtful_settings(const Experiment& experiment, const TaskFacts& facts) {
  std::vector<std::string> doubts;
  const LocalSgd& method = experiment.method;
  if (facts.running_moments > 0)
    look_at_batch_norm(experiment, experiment.task->micro_batch().value(), doubts);
  // Four times the batch, twice the rate: the rule is known by what it does.
  const bool square_root = !method.learning_rate_coupling.needs_statistics &&
                           method.learning_rate_coupling({.growth = 4}) == 2;
  if (square_root && method.inner_steps)
    doubts.emplace_back(
        "learning_rate_coupling: sqrt is the rule for steps that do not grow with gradients, such "
        "as adamw's; for inner_optimizer: sgd it is linear");
  const StatisticsOptions& statistics = method.statistics;
  if (method.controller->needs().any() && statistics.unbiased_squared_norm &&
      !statistics.at_first_step && statistics.moving_average == 0)
    doubts.emplace_back(
        "gradient_statistics: squared_norm: unbiased can come out of a single round as next to "
        "nothing, and a batch-size test then asks for the largest batch at once; moving_average: "
        "0.9 averages it over rounds");
  const auto share = static_cast<std::int64_t>(facts.train_samples) / experiment.workers;
  if (experiment.task->has_network() && method.initial_local_batch_size > share)
    doubts.push_back(
        fmt::format("a local batch is larger than a worker's share of the training set, so a "
                    "sample is in it more than once: batch_size.initial is {}, the share {}",
                    method.initial_local_batch_size, share));
  const int H = method.wanted_sync_interval({.local_batch_size = method.initial_local_batch_size});
  if (method.stream && method.stream->delay >= H)
    doubts.push_back(fmt::format(
        "a fragment arrives at the end of its round at the latest, so that the delay is cut to "
        "H - 1: streaming.delay is {}, H of the first round {}",
        method.stream->delay, H));
  return doubts;
}

Experiment read_experiment(Options options, bool cpu_has_bfloat16) {
  Experiment read;
  read_run(options, read);
  const std::shared_ptr<TaskFactory> task = read_task(options, cpu_has_bfloat16);
  read.task = task;
  read_rules(options, read);
  read_batch_size(options, *task, read);
  read_statistics(options, read);
  task->read_synchronization(options);
  read_communication(options, read.method);
  read_evaluation(options, read);
  read_branching(options, read);
  options.finish();
  read.resolved = options.declarations();
  task->complete(read.resolved);
  return read;
}

}  // namespace localbatch
