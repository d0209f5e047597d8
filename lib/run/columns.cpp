#include "run/columns.h"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>

namespace localbatch {

namespace {

/// A number of the test, empty in rounds without one.
std::string statistic(const std::optional<GradientStatistics>& statistics,
                      double GradientStatistics::*field) {
  if (!statistics || statistics->num_chunks < 2) return {};
  return csv_cell((*statistics).*field);
}

std::string statistic(const RoundRow& row, double GradientStatistics::*field) {
  return statistic(row.record.statistics, field);
}

std::string before_averages(const RoundRow& row, double GradientStatistics::*field) {
  return statistic(row.record.measured, field);
}

/// Only some ways to measure know inner products.
std::string of_inner_products(const RoundRow& row, double GradientStatistics::*field) {
  const auto& statistics = row.record.statistics;
  return statistics && statistics->has_inner_products ? statistic(row, field) : std::string();
}

std::string side(const std::optional<Inequality>& inequality, double Inequality::*field) {
  return inequality ? csv_cell((*inequality).*field) : std::string();
}

std::string passing(const RoundRow& row, std::optional<double> PassingParameters::*field) {
  if (!row.record.statistics) return {};
  return csv_cell(passing_parameters(*row.record.statistics).*field);
}

// Seconds are not reproducible; six digits are more than they are worth.
std::string seconds(double value) { return fmt::format("{:.6f}", value); }

using Row = const RoundRow&;

constexpr std::array<CsvColumn<RoundRow>, 31> kRoundColumns{{
    {"round", "", "k, counted from 1", [](Row r) { return csv_cell(r.record.round); }},
    {"samples", "samples", "processed by all workers together after the round",
     [](Row r) { return csv_cell(r.record.samples); }},
    {"epoch", "epochs", "samples / size of the training set",
     [](Row r) { return csv_cell(r.epoch); }},
    {"sync_interval", "local steps", "H of the round",
     [](Row r) { return csv_cell(r.record.local_steps); }},
    {"local_batch_size", "samples", "b of the round, per worker",
     [](Row r) { return csv_cell(r.record.local_batch_size); }},
    {"global_batch_size", "samples", "M b",
     [](Row r) { return csv_cell(std::int64_t{r.workers} * r.record.local_batch_size); }},
    {"learning_rate", "", "of the first local step",
     [](Row r) { return csv_cell(r.record.learning_rate); }},
    {"loss", "nats", "training loss, mean over workers and local steps",
     [](Row r) { return csv_cell(r.record.loss); }},
    {"drift", "", "(1/M) sum of squared distances of the workers from the mean of what they sent",
     [](Row r) { return csv_cell(r.record.drift); }},
    {"chunks", "", "J, gradients that the variance is taken over",
     [](Row r) {
       return r.record.statistics ? csv_cell(r.record.statistics->num_chunks) : std::string();
     }},
    {"variance", "", "of one sample's gradient, trace of the covariance",
     [](Row r) { return statistic(r, &GradientStatistics::variance); }},
    {"squared_norm", "", "of the mean gradient, as gradient_statistics.squared_norm says",
     [](Row r) { return statistic(r, &GradientStatistics::squared_norm); }},
    {"inner_product_variance", "", "of one sample's inner product with the mean gradient",
     [](Row r) { return of_inner_products(r, &GradientStatistics::inner_product_variance); }},
    {"orthogonal_variance", "", "of one sample's gradient orthogonal to the mean gradient",
     [](Row r) { return of_inner_products(r, &GradientStatistics::orthogonal_variance); }},
    {"test_statistic", "", "left side of the norm or inner-product test",
     [](Row r) { return side(r.record.wanted.test, &Inequality::statistic); }},
    {"test_threshold", "", "right side; the test passes when the left one is not larger",
     [](Row r) { return side(r.record.wanted.test, &Inequality::threshold); }},
    {"orthogonality_statistic", "", "left side of the second inequality of the augmented test",
     [](Row r) { return side(r.record.wanted.orthogonality, &Inequality::statistic); }},
    {"orthogonality_threshold", "", "its right side",
     [](Row r) { return side(r.record.wanted.orthogonality, &Inequality::threshold); }},
    {"passing_eta", "", "the norm test passes on these statistics for every eta from here on",
     [](Row r) { return passing(r, &PassingParameters::eta); }},
    {"passing_theta", "", "the same for the inner-product test and theta",
     [](Row r) { return passing(r, &PassingParameters::theta); }},
    {"passing_nu", "", "the same for the orthogonality test and nu",
     [](Row r) { return passing(r, &PassingParameters::nu); }},
    {"wanted_local_batch_size", "samples",
     "smallest one that passes the test, or the schedule's, not rounded",
     [](Row r) {
       const Wanted& wanted = r.record.wanted;
       return wants_size(wanted.reason) ? csv_cell(wanted.local_batch_size) : std::string();
     }},
    {"next_local_batch_size", "samples",
     "b of the next round; less in the last two, which share what is left",
     [](Row r) { return csv_cell(r.record.decision.next); }},
    {"reason", "",
     "why: what the test said (fixed schedule not_due pass grow shrink too_few_chunks "
     "zero_gradient "
     "non_finite), or the limit that had the last word (hysteresis cap floor rounding "
     "growth_limit)",
     [](Row r) { return std::string(to_string(r.record.decision.reason)); }},
    {"method_bytes", "bytes",
     "that each worker gives to averages in the round: 4 per parameter (or what "
     "communication.parameters makes of it; numbers of top_k go to every rank by themselves) and "
     "per value of averaged state, and 4 per parameter again when gradients are tested whose mean "
     "over workers is taken (8 coordinate-wise)",
     [](Row r) { return csv_cell(r.method_bytes); }},
    {"measured_variance", "", "variance of this round alone, before moving averages",
     [](Row r) { return before_averages(r, &GradientStatistics::variance); }},
    {"measured_squared_norm", "", "squared norm of this round alone",
     [](Row r) { return before_averages(r, &GradientStatistics::squared_norm); }},
    {"payload_residual", "",
     "where parameters travel as moves: mean squared norm of what was taken away from a worker's "
     "move, which goes with its next one; to be compared with drift",
     [](Row r) { return csv_cell(r.record.residual); }},
    {"gradient_norm", "",
     "of a local step's gradient before clipping, mean over workers and local steps",
     [](Row r) { return csv_cell(r.record.gradient_norm); }},
    {"clipped_steps", "local steps",
     "of all workers whose gradient was longer than inner_optimizer.clip_norm",
     [](Row r) { return csv_cell(r.record.clipped_steps); }},
    {"variance_standard_error", "",
     "of measured_variance, by the jackknife over workers; empty where chunks are others than the "
     "workers' local batches or displacements, or fewer than three",
     [](Row r) {
       return r.record.measured ? csv_cell(r.record.measured->variance_standard_error)
                                : std::string();
     }},
}};

using Eval = const EvaluationRow&;

/// A number of a problem whose theory is known, empty for networks.
template <class Field>
std::string gap(Eval row, Field ObjectiveGap::*field) {
  return row.test.gap ? csv_cell((*row.test.gap).*field) : std::string();
}

constexpr std::array<CsvColumn<EvaluationRow>, 22> kEvaluationColumns{{
    {"round", "", "after which the averaged model was evaluated",
     [](Eval r) { return csv_cell(r.round); }},
    {"samples", "samples", "processed by all workers together",
     [](Eval r) { return csv_cell(r.samples); }},
    {"epoch", "epochs", "samples / size of the training set",
     [](Eval r) { return csv_cell(r.epoch); }},
    {"train_loss", "nats", "mean training loss since the evaluation before, weighted by samples",
     [](Eval r) { return csv_cell(r.train_loss); }},
    {"test_loss", "nats",
     "mean cross entropy over the targets of the test set, or of the part of it that "
     "evaluation.max_samples says; F(x) of a problem",
     [](Eval r) { return csv_cell(r.test.loss); }},
    {"test_accuracy", "", "share of these targets that are predicted: classes of images, or tokens",
     [](Eval r) { return csv_cell(test_accuracy(r.test)); }},
    {"test_correct", "targets", "predicted", [](Eval r) { return csv_cell(r.test.correct); }},
    {"test_images", "images", "that were looked at; empty for texts",
     [](Eval r) { return csv_cell(r.test.images); }},
    {"local_batch_size", "samples", "b of the round before the evaluation",
     [](Eval r) { return csv_cell(r.local_batch_size); }},
    {"sync_interval", "local steps", "H of the round before the evaluation",
     [](Eval r) { return csv_cell(r.sync_interval); }},
    {"suboptimality", "", "F(x) - F* of a problem other than a network",
     [](Eval r) { return gap(r, &ObjectiveGap::suboptimality); }},
    {"squared_distance", "", "|x - x*|^2, where F has one minimizer to name",
     [](Eval r) { return gap(r, &ObjectiveGap::squared_distance); }},
    {"squared_gradient_norm", "", "|grad F(x)|^2",
     [](Eval r) { return gap(r, &ObjectiveGap::squared_gradient_norm); }},
    {"mean_suboptimality", "",
     "mean of F - F* over all local steps of the run so far, at the workers' mean point before the "
     "step; needs problem.trace",
     [](Eval r) { return gap(r, &ObjectiveGap::mean_suboptimality); }},
    {"mean_squared_gradient_norm", "", "the same of |grad F|^2",
     [](Eval r) { return gap(r, &ObjectiveGap::mean_squared_gradient_norm); }},
    {"test_tokens", "tokens", "that were to be predicted; empty for images",
     [](Eval r) { return csv_cell(r.test.tokens); }},
    {"test_perplexity", "", "exp(test_loss) of texts",
     [](Eval r) { return csv_cell(test_perplexity(r.test)); }},
    {"test_bits_per_byte", "bits",
     "of texts: test_loss/(ln 2 x bytes of text per token), where these are known",
     [](Eval r) { return csv_cell(test_bits_per_byte(r.test)); }},
    {"validation_loss", "nats", "as test_loss, on what dataset.validation holds out; else empty",
     [](Eval r) { return r.test.validation ? csv_cell(r.test.validation->loss) : ""; }},
    {"validation_accuracy", "", "share of the targets of these samples that are predicted",
     [](Eval r) { return r.test.validation ? csv_cell(r.test.validation->accuracy()) : ""; }},
    {"averaged_test_loss", "nats",
     "as test_loss, of the mean of the global parameters over rounds, where "
     "evaluation.averaged_over asks for one; else empty",
     [](Eval r) { return r.averaged ? csv_cell(r.averaged->loss) : ""; }},
    {"averaged_test_accuracy", "", "as test_accuracy, of that mean",
     [](Eval r) { return r.averaged ? csv_cell(r.averaged->accuracy()) : ""; }},
}};

using Timing = const TimingRow&;

constexpr std::array<CsvColumn<TimingRow>, 13> kTimingColumns{{
    {"round", "", "k, counted from 1", [](Timing r) { return csv_cell(r.round); }},
    {"total_seconds", "s", "wall time of the round, evaluation included",
     [](Timing r) { return seconds(r.total); }},
    {"slot_seconds", "s", "waiting for a free execution slot, while other workers compute",
     [](Timing r) { return seconds(r.slot); }},
    {"data_seconds", "s", "drawing and preparing samples",
     [](Timing r) { return seconds(r.data); }},
    {"gradient_seconds", "s", "forward and backward passes",
     [](Timing r) { return seconds(r.gradient); }},
    {"optimizer_seconds", "s", "inner optimizer", [](Timing r) { return seconds(r.optimizer); }},
    {"communication_seconds", "s",
     "averages and sums, of gradient statistics too; waiting for other workers included",
     [](Timing r) { return seconds(r.communication); }},
    {"evaluation_seconds", "s", "evaluation on the test set",
     [](Timing r) { return seconds(r.evaluation); }},
    {"forward_seconds", "s", "forward passes, a part of gradient_seconds",
     [](Timing r) { return seconds(r.forward); }},
    {"backward_seconds", "s", "loss and backward passes, the rest of gradient_seconds",
     [](Timing r) { return seconds(r.backward); }},
    {"statistics_seconds", "s", "gradients of micro-batches and of single samples",
     [](Timing r) { return seconds(r.statistics); }},
    {"waiting_seconds", "s",
     "waiting for the slowest worker, a part of communication_seconds; the rest is transfer",
     [](Timing r) { return seconds(r.waiting); }},
    {"tokens_per_second", "1/s",
     "of all workers together, while they do not evaluate; empty where samples are no texts",
     [](Timing r) {
       const double training = r.total - r.evaluation;
       if (r.tokens == 0 || training <= 0) return std::string();
       return fmt::format("{:.1f}", static_cast<double>(r.tokens) / training);
     }},
}};

}  // namespace

std::optional<double> test_accuracy(const TestResult& test) {
  const std::optional<std::int64_t> targets = test.images ? test.images : test.tokens;
  if (!test.correct || !targets) return {};
  return static_cast<double>(*test.correct) / static_cast<double>(*targets);
}

std::optional<double> test_perplexity(const TestResult& test) {
  if (!test.tokens) return {};
  return std::exp(test.loss);
}

std::optional<double> test_bits_per_byte(const TestResult& test) {
  if (!test.tokens || !test.bytes_per_token) return {};
  return test.loss / (std::numbers::ln2 * *test.bytes_per_token);
}

std::span<const CsvColumn<RoundRow>> round_columns() { return kRoundColumns; }
std::span<const CsvColumn<EvaluationRow>> evaluation_columns() { return kEvaluationColumns; }
std::span<const CsvColumn<TimingRow>> timing_columns() { return kTimingColumns; }

// The columns of controllers.csv and audits.csv.

namespace {

using Control = const ControllerRow&;

constexpr std::array<CsvColumn<ControllerRow>, 12> kControllerColumns{{
    {"round", "", "k, counted from 1", [](Control r) { return csv_cell(r.record.round); }},
    {"samples", "samples", "processed by all workers together after the round",
     [](Control r) { return csv_cell(r.record.samples); }},
    {"local_batch_size", "samples", "b of the round, of the controller that acts",
     [](Control r) { return csv_cell(r.record.local_batch_size); }},
    {"controller", "", "place in shadow_controllers, counted from 1",
     [](Control r) { return csv_cell(r.controller); }},
    {"settings", "", "name and keys of the controller",
     [](Control r) { return std::string(r.settings); }},
    {"test_statistic", "", "left side of its test",
     [](Control r) { return side(r.wanted.test, &Inequality::statistic); }},
    {"test_threshold", "", "right side; the test passes when the left one is not larger",
     [](Control r) { return side(r.wanted.test, &Inequality::threshold); }},
    {"orthogonality_statistic", "", "left side of the second inequality of the augmented test",
     [](Control r) { return side(r.wanted.orthogonality, &Inequality::statistic); }},
    {"orthogonality_threshold", "", "its right side",
     [](Control r) { return side(r.wanted.orthogonality, &Inequality::threshold); }},
    {"wanted_local_batch_size", "samples", "what it asks for, not rounded",
     [](Control r) {
       return wants_size(r.wanted.reason) ? csv_cell(r.wanted.local_batch_size) : std::string();
     }},
    {"next_local_batch_size", "samples",
     "b of the next round if it acted, within the limits of the controller that does",
     [](Control r) { return csv_cell(r.decision.next); }},
    {"reason", "", "as in rounds.csv",
     [](Control r) { return std::string(to_string(r.decision.reason)); }},
}};

using Audited = const AuditRow&;

std::string inner(const GradientStatistics& statistics, double GradientStatistics::*field) {
  return statistics.has_inner_products ? csv_cell(statistics.*field) : std::string();
}

/// A cheap statistic, empty where there were too few chunks.
std::string cheap(Audited row, double GradientStatistics::*field) {
  return row.audit.cheap.num_chunks < 2 ? std::string() : csv_cell(row.audit.cheap.*field);
}

std::string in_batch(Audited row, double (*value)(const SamplesInBatch&)) {
  return row.audit.samples_in_batch ? csv_cell(value(*row.audit.samples_in_batch)) : std::string();
}

constexpr std::array<CsvColumn<AuditRow>, 27> kAuditColumns{{
    {"round", "", "k, counted from 1", [](Audited r) { return csv_cell(r.record.round); }},
    {"samples", "samples", "processed by all workers together after the round",
     [](Audited r) { return csv_cell(r.record.samples); }},
    {"local_batch_size", "samples", "b of the round",
     [](Audited r) { return csv_cell(r.record.local_batch_size); }},
    {"chunks", "", "J, gradients that the cheap variance is taken over",
     [](Audited r) { return csv_cell(r.audit.cheap.num_chunks); }},
    {"audited_samples", "samples",
     "behind the columns exact_*, which are made of independent gradients at the workers' points: "
     "of "
     "single samples, or of micro-batches under batch norm",
     [](Audited r) { return csv_cell(r.audit.samples); }},
    {"variance", "", "of one sample's gradient, as the test measures it",
     [](Audited r) { return cheap(r, &GradientStatistics::variance); }},
    {"exact_variance", "", "the same from the independent gradients",
     [](Audited r) { return csv_cell(r.audit.variance.value); }},
    {"exact_variance_error", "",
     "its standard error by the jackknife, without inner products of the squared norms alone",
     [](Audited r) { return csv_cell(r.audit.variance.error); }},
    {"variance_ratio", "", "variance / exact_variance",
     [](Audited r) {
       return r.audit.cheap.num_chunks < 2 ? std::string() : csv_cell(r.audit.ratio.value);
     }},
    {"variance_ratio_error", "", "standard error due to exact_variance",
     [](Audited r) {
       return r.audit.cheap.num_chunks < 2 ? std::string() : csv_cell(r.audit.ratio.error);
     }},
    {"squared_norm", "", "of the mean gradient, as the test measures it",
     [](Audited r) { return cheap(r, &GradientStatistics::squared_norm); }},
    {"exact_squared_norm", "",
     "the same from the independent gradients, for M b samples unless unbiased",
     [](Audited r) { return csv_cell(r.audit.squared_norm.value); }},
    {"exact_squared_norm_error", "",
     "its standard error by the jackknife, empty without inner products",
     [](Audited r) {
       return r.audit.exact.has_inner_products ? csv_cell(r.audit.squared_norm.error)
                                               : std::string();
     }},
    {"unbiased_squared_norm", "", "of the gradient without its noise, as the test measures it",
     [](Audited r) { return cheap(r, &GradientStatistics::unbiased_squared_norm); }},
    {"exact_unbiased_squared_norm", "", "the same from the independent gradients",
     [](Audited r) { return csv_cell(r.audit.exact.unbiased_squared_norm); }},
    {"inner_product_variance", "", "of one sample's inner product with the mean gradient",
     [](Audited r) { return inner(r.audit.cheap, &GradientStatistics::inner_product_variance); }},
    {"exact_inner_product_variance", "", "the same from the independent gradients and their mean",
     [](Audited r) { return inner(r.audit.exact, &GradientStatistics::inner_product_variance); }},
    {"orthogonal_variance", "", "of one sample's gradient orthogonal to the mean gradient",
     [](Audited r) { return inner(r.audit.cheap, &GradientStatistics::orthogonal_variance); }},
    {"exact_orthogonal_variance", "", "the same from the independent gradients and their mean",
     [](Audited r) { return inner(r.audit.exact, &GradientStatistics::orthogonal_variance); }},
    {"wanted_local_batch_size", "samples", "what the controller asks for on the cheap statistics",
     [](Audited r) { return csv_cell(r.audit.cheap_wanted); }},
    {"exact_wanted_local_batch_size", "samples",
     "what it would ask for on those of the independent gradients",
     [](Audited r) {
       return r.audit.exact_wanted ? csv_cell(r.audit.exact_wanted->value) : std::string();
     }},
    {"exact_wanted_error", "samples",
     "its standard error by the jackknife, empty without inner products",
     [](Audited r) {
       const bool judged = r.audit.exact_wanted && r.audit.exact.has_inner_products;
       return judged ? csv_cell(r.audit.exact_wanted->error) : std::string();
     }},
    {"passing_eta", "",
     "the norm test passes on those of the independent gradients for every eta from here on",
     [](Audited r) { return csv_cell(passing_parameters(r.audit.exact).eta); }},
    {"audited_chunk_samples", "samples",
     "behind each independent gradient: 1, or under batch norm a micro-batch of a local step",
     [](Audited r) { return csv_cell(r.audit.samples_each); }},
    {"samples_in_batch_variance", "",
     "what the variance seems to be if the coupled samples of those micro-batches are taken for "
     "independent ones, with audit.samples_in_batch",
     [](Audited r) {
       return in_batch(r, [](const SamplesInBatch& s) { return s.variance.value; });
     }},
    {"samples_in_batch_variance_error", "",
     "its standard error by the jackknife of the squared norms alone",
     [](Audited r) {
       return in_batch(r, [](const SamplesInBatch& s) { return s.variance.error; });
     }},
    {"samples_in_batch_unbiased_squared_norm", "",
     "what the squared norm without noise seems to be in the same way",
     [](Audited r) {
       return in_batch(r, [](const SamplesInBatch& s) { return s.unbiased_squared_norm; });
     }},
}};

}  // namespace

std::span<const CsvColumn<ControllerRow>> controller_columns() { return kControllerColumns; }
std::span<const CsvColumn<AuditRow>> audit_columns() { return kAuditColumns; }

}  // namespace localbatch
