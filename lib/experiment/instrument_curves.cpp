#include <fmt/format.h>

#include <array>

#include "experiment/curves.h"

// The columns of controllers.csv and audits.csv.

namespace localbatch {

namespace {

template <class Value>
std::string cell(const Value& value) {
  return fmt::format("{}", value);
}

template <class Value>
std::string cell(const std::optional<Value>& value) {
  return value ? cell(*value) : std::string();
}

std::string side(const std::optional<Inequality>& inequality, double Inequality::*field) {
  return inequality ? cell((*inequality).*field) : std::string();
}

using Control = const ControllerRow&;

constexpr std::array<CsvColumn<ControllerRow>, 12> kControllerColumns{{
    {"round", "", "k, counted from 1", [](Control r) { return cell(r.record.round); }},
    {"samples", "samples", "processed by all workers together after the round",
     [](Control r) { return cell(r.record.samples); }},
    {"local_batch_size", "samples", "b of the round, of the controller that acts",
     [](Control r) { return cell(r.record.local_batch_size); }},
    {"controller", "", "place in shadow_controllers, counted from 1",
     [](Control r) { return cell(r.controller); }},
    {"settings", "", "name and keys of the controller",
     [](Control r) { return std::string(r.settings); }},
    {"test_statistic", "", "left side of its test",
     [](Control r) { return side(r.wish.test, &Inequality::statistic); }},
    {"test_threshold", "", "right side; the test passes when the left one is not larger",
     [](Control r) { return side(r.wish.test, &Inequality::threshold); }},
    {"orthogonality_statistic", "", "left side of the second inequality of the augmented test",
     [](Control r) { return side(r.wish.orthogonality, &Inequality::statistic); }},
    {"orthogonality_threshold", "", "its right side",
     [](Control r) { return side(r.wish.orthogonality, &Inequality::threshold); }},
    {"wanted_local_batch_size", "samples", "what it asks for, not rounded",
     [](Control r) {
       return wishes_size(r.wish.reason) ? cell(r.wish.local_batch_size) : std::string();
     }},
    {"next_local_batch_size", "samples",
     "b of the next round if it acted, within the limits of the controller that does",
     [](Control r) { return cell(r.decision.next); }},
    {"reason", "", "as in rounds.csv",
     [](Control r) { return std::string(to_string(r.decision.reason)); }},
}};

using Audited = const AuditRow&;

std::string inner(const GradientStatistics& statistics, double GradientStatistics::*field) {
  return statistics.has_inner_products ? cell(statistics.*field) : std::string();
}

/// A cheap statistic, empty where there were too few chunks.
std::string cheap(Audited row, double GradientStatistics::*field) {
  return row.audit.cheap.num_chunks < 2 ? std::string() : cell(row.audit.cheap.*field);
}

constexpr std::array<CsvColumn<AuditRow>, 23> kAuditColumns{{
    {"round", "", "k, counted from 1", [](Audited r) { return cell(r.record.round); }},
    {"samples", "samples", "processed by all workers together after the round",
     [](Audited r) { return cell(r.record.samples); }},
    {"local_batch_size", "samples", "b of the round",
     [](Audited r) { return cell(r.record.local_batch_size); }},
    {"chunks", "", "J, gradients that the cheap variance is taken over",
     [](Audited r) { return cell(r.audit.cheap.num_chunks); }},
    {"audited_samples", "samples", "whose gradients the exact statistics are made of",
     [](Audited r) { return cell(r.audit.samples); }},
    {"variance", "", "of one sample's gradient, as the test measures it",
     [](Audited r) { return cheap(r, &GradientStatistics::variance); }},
    {"exact_variance", "", "the same from single samples",
     [](Audited r) { return cell(r.audit.variance.value); }},
    {"exact_variance_error", "",
     "its standard error by the jackknife, without inner products of the squared norms alone",
     [](Audited r) { return cell(r.audit.variance.error); }},
    {"variance_ratio", "", "variance / exact_variance",
     [](Audited r) {
       return r.audit.cheap.num_chunks < 2 ? std::string() : cell(r.audit.ratio.value);
     }},
    {"variance_ratio_error", "", "standard error due to exact_variance",
     [](Audited r) {
       return r.audit.cheap.num_chunks < 2 ? std::string() : cell(r.audit.ratio.error);
     }},
    {"squared_norm", "", "of the mean gradient, as the test measures it",
     [](Audited r) { return cheap(r, &GradientStatistics::squared_norm); }},
    {"exact_squared_norm", "", "the same from single samples, for M b samples unless unbiased",
     [](Audited r) { return cell(r.audit.squared_norm.value); }},
    {"exact_squared_norm_error", "",
     "its standard error by the jackknife, empty without inner products",
     [](Audited r) {
       return r.audit.exact.has_inner_products ? cell(r.audit.squared_norm.error) : std::string();
     }},
    {"unbiased_squared_norm", "", "of the gradient without its noise, as the test measures it",
     [](Audited r) { return cheap(r, &GradientStatistics::unbiased_squared_norm); }},
    {"exact_unbiased_squared_norm", "", "the same from single samples",
     [](Audited r) { return cell(r.audit.exact.unbiased_squared_norm); }},
    {"inner_product_variance", "", "of one sample's inner product with the mean gradient",
     [](Audited r) { return inner(r.audit.cheap, &GradientStatistics::inner_product_variance); }},
    {"exact_inner_product_variance", "", "the same from single samples and their own mean",
     [](Audited r) { return inner(r.audit.exact, &GradientStatistics::inner_product_variance); }},
    {"orthogonal_variance", "", "of one sample's gradient orthogonal to the mean gradient",
     [](Audited r) { return inner(r.audit.cheap, &GradientStatistics::orthogonal_variance); }},
    {"exact_orthogonal_variance", "", "the same from single samples and their own mean",
     [](Audited r) { return inner(r.audit.exact, &GradientStatistics::orthogonal_variance); }},
    {"wanted_local_batch_size", "samples", "what the controller asks for on the cheap statistics",
     [](Audited r) { return cell(r.audit.cheap_wish); }},
    {"exact_wanted_local_batch_size", "samples", "what it would ask for on the exact ones",
     [](Audited r) {
       return r.audit.exact_wish ? cell(r.audit.exact_wish->value) : std::string();
     }},
    {"exact_wanted_error", "samples",
     "its standard error by the jackknife, empty without inner products",
     [](Audited r) {
       const bool judged = r.audit.exact_wish && r.audit.exact.has_inner_products;
       return judged ? cell(r.audit.exact_wish->error) : std::string();
     }},
    {"passing_eta", "", "the norm test passes on the exact statistics for every eta from here on",
     [](Audited r) { return cell(passing_parameters(r.audit.exact).eta); }},
}};

}  // namespace

std::span<const CsvColumn<ControllerRow>> controller_columns() { return kControllerColumns; }
std::span<const CsvColumn<AuditRow>> audit_columns() { return kAuditColumns; }

}  // namespace localbatch
