#include "optim/sync_interval.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <vector>

namespace localbatch {

namespace {

constexpr int kMaxInterval = 1'000'000;

SyncInterval make_constant(Options& options) {
  const int interval = static_cast<int>(options.integer(
      "H", {.fallback = 1,
            .min = 1,
            .max = kMaxInterval,
            .meaning = "local steps between two synchronizations; 1: minibatch SGD"}));
  return {[interval](const SyncContext&) { return interval; }};
}

/// Post-local SGD (Lin, Stich, Patel and Jaggi 2020).
SyncInterval make_post_local(Options& options) {
  const std::int64_t start = options.integer(
      "start_samples", {.min = 0,
                        .meaning = "samples, of all workers together, that are processed with a "
                                   "synchronization after every local step before H applies"});
  const int interval = static_cast<int>(
      options.integer("H", {.min = 1,
                            .max = kMaxInterval,
                            .meaning = "local steps between two synchronizations in rounds that "
                                       "begin at start_samples or later"}));
  return {[start, interval](const SyncContext& context) {
    return context.samples < start ? 1 : interval;
  }};
}

SyncInterval make_stagewise(Options& options) {
  const int first = static_cast<int>(options.integer(
      "H", {.fallback = 1,
            .min = 1,
            .max = kMaxInterval,
            .meaning = "local steps between two synchronizations until the first milestone"}));
  const std::vector<std::int64_t> milestones = options.integers(
      "milestones",
      {.min = 1, .meaning = "samples, of all workers together, at which H changes; increasing"});
  const std::vector<std::int64_t> later =
      options.integers("H_after", {.min = 1,
                                   .max = kMaxInterval,
                                   .meaning = "H from each milestone on, as many as milestones"});
  if (std::ranges::adjacent_find(milestones, std::greater_equal<>()) != milestones.end())
    options.fail("milestones", fmt::format("found [{}], each must be more than the one before it",
                                           fmt::join(milestones, ", ")));
  if (later.size() != milestones.size())
    options.fail("H_after", fmt::format("found {} numbers, expected one for each of {} milestones",
                                        later.size(), milestones.size()));
  return {[=](const SyncContext& context) {
    const auto passed = std::ranges::upper_bound(milestones, context.samples) - milestones.begin();
    return passed == 0 ? first : static_cast<int>(later[static_cast<std::size_t>(passed - 1)]);
  }};
}

/// The quadratic synchronization rule (Gu, Lyu, Arora, Zhang and Huang 2024).
SyncInterval make_quadratic(Options& options) {
  const int least = static_cast<int>(
      options.integer("H", {.fallback = 1,
                            .min = 1,
                            .max = kMaxInterval,
                            .meaning = "fewest local steps between two synchronizations"}));
  const double alpha = options.number(
      "alpha", {.min = 0,
                .max = 1e6,
                .meaning = "H = max(H, floor((alpha/learning rate)^exponent)); 0: H throughout"});
  const double exponent = options.number(
      "exponent", {.fallback = 2,
                   .min = 0.1,
                   .max = 10,
                   .meaning = "2: the quadratic rule; 1 and 3: the linear and the cubic one"});
  const std::int64_t start = options.integer(
      "start_samples", {.fallback = 0,
                        .min = 0,
                        .meaning = "samples, of all workers together, before which H applies; the "
                                   "end of the warm-up, where the learning rate is small for "
                                   "another reason"});
  const auto rule = [=](const SyncContext& context) {
    if (context.samples < start) return least;
    const double wanted = std::floor(std::pow(alpha / context.learning_rate, exponent));
    // Without a learning rate, 0/0 is no number and anything else is infinite.
    return std::isnan(wanted) ? least
                              : static_cast<int>(std::clamp<double>(wanted, least, kMaxInterval));
  };
  return {.rule = rule, .depends_on_learning_rate = true};
}

/// AdaComm (Wang and Joshi 2019), without its terms for a changing learning rate.
SyncInterval make_adacomm(Options& options) {
  const int first = static_cast<int>(
      options.integer("H", {.min = 1,
                            .max = kMaxInterval,
                            .meaning = "local steps of the first round; later ones have ceil(H "
                                       "sqrt(loss of the round before/loss of the first))"}));
  const auto rule = [first](const SyncContext& context) {
    if (context.round == 0 || !(context.first_loss > 0)) return first;
    const double wanted = std::ceil(std::sqrt(context.last_loss / context.first_loss) * first);
    return std::isnan(wanted) ? first
                              : static_cast<int>(std::clamp(wanted, 1.0, 1.0 * kMaxInterval));
  };
  return {.rule = rule, .depends_on_losses = true};
}

}  // namespace

std::span<const PartRow<SyncInterval>> sync_interval_table() {
  static constexpr std::array<PartRow<SyncInterval>, 5> kTable{{
      {.name = "constant",
       .summary = "the same number of local steps in every round",
       .make = make_constant,
       .formula = "H local steps in every round",
       .source = "Local SGD (Stich 2019, as recalled)"},
      {.name = "post_local",
       .summary = "one local step per round at first, H later (Lin et al. 2020)",
       .make = make_post_local,
       .formula = "1 local step while samples < start_samples, then H",
       .source = "Lin et al. 2020 and its code"},
      {.name = "stagewise",
       .summary = "a number for each stage of the run",
       .make = make_stagewise,
       .formula =
           "H local steps before milestones[0] samples, H_after[i] from milestones[i] samples on",
       .source = "STL-SGD, as recalled, with stages of free choice"},
      {.name = "quadratic",
       .summary = "more local steps as the learning rate falls (QSR, Gu et al. 2024)",
       .make = make_quadratic,
       .formula =
           "max(H, floor((alpha/lr)^exponent)) local steps from start_samples on, H before, with "
           "the lr of the round's first step",
       .source = "Gu et al. 2024 and its code"},
      {.name = "adacomm",
       .summary = "fewer local steps as the loss falls (AdaComm, Wang and Joshi 2019)",
       .make = make_adacomm,
       .formula =
           "ceil(H sqrt(loss of the round before/loss of the first round)) local steps, H in the "
           "first round",
       .source =
           "Wang and Joshi 2019, without its factor for a changing learning rate (as recalled)"},
  }};
  return kTable;
}

}  // namespace localbatch
