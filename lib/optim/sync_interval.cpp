#include "optim/sync_interval.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "core/error.h"

namespace localbatch {

namespace {

constexpr int kMaxInterval = 1'000'000;

int read_interval(Options& options, std::optional<std::int64_t> fallback,
                  std::string_view meaning) {
  return options.integer<int>(
      "H", {.fallback = fallback, .min = 1, .max = kMaxInterval, .meaning = meaning});
}

}  // namespace

SyncInterval make_constant_interval(const ConstantIntervalSettings& settings) {
  return {[settings](const SyncContext&) { return settings.H; }};
}

SyncInterval make_constant_interval(Options& options) {
  ConstantIntervalSettings settings;
  settings.H = read_interval(options, settings.H,
                             "local steps between two synchronizations; 1: minibatch SGD");
  return make_constant_interval(settings);
}

SyncInterval make_post_local_interval(const PostLocalSettings& settings) {
  return {[settings](const SyncContext& context) {
    return context.samples < settings.start_samples ? 1 : settings.H;
  }};
}

SyncInterval make_post_local_interval(Options& options) {
  PostLocalSettings settings;
  settings.start_samples = options.integer(
      "start_samples", {.min = 0,
                        .meaning = "samples, of all workers together, that are processed with a "
                                   "synchronization after every local step before H applies"});
  settings.H = read_interval(options, std::nullopt,
                             "local steps between two synchronizations in rounds that "
                             "begin at start_samples or later");
  return make_post_local_interval(settings);
}

SyncInterval make_stagewise_interval(const StagewiseIntervalSettings& settings) {
  check(settings.H_after.size() == settings.milestones.size(), "each milestone has an H");
  return {[settings](const SyncContext& context) {
    const auto& milestones = settings.milestones;
    const auto passed = std::ranges::upper_bound(milestones, context.samples) - milestones.begin();
    return passed == 0 ? settings.H : static_cast<int>(settings.H_after[passed - 1]);
  }};
}

SyncInterval make_stagewise_interval(Options& options) {
  StagewiseIntervalSettings settings;
  settings.H = read_interval(options, settings.H,
                             "local steps between two synchronizations until the first milestone");
  settings.milestones = options.integers(
      "milestones",
      {.min = 1,
       .ascending = true,
       .meaning = "samples, of all workers together, at which H changes; increasing"});
  settings.H_after =
      options.integers("H_after", {.min = 1,
                                   .max = kMaxInterval,
                                   .meaning = "H from each milestone on, as many as milestones"});
  const std::vector<std::int64_t>& milestones = settings.milestones;
  if (settings.H_after.size() != milestones.size())
    options.fail("H_after", fmt::format("found {} numbers, expected one for each of {} milestones",
                                        settings.H_after.size(), milestones.size()));
  return make_stagewise_interval(settings);
}

SyncInterval make_quadratic_interval(const QuadraticIntervalSettings& settings) {
  const auto rule = [settings](const SyncContext& context) {
    if (context.samples < settings.start_samples) return settings.H;
    const double wanted =
        std::floor(std::pow(settings.alpha / context.learning_rate, settings.exponent));
    // Without a learning rate, 0/0 is no number and anything else is infinite.
    return std::isnan(wanted)
               ? settings.H
               : static_cast<int>(std::clamp<double>(wanted, settings.H, kMaxInterval));
  };
  return {.rule = rule, .depends_on_learning_rate = true};
}

SyncInterval make_quadratic_interval(Options& options) {
  QuadraticIntervalSettings settings;
  settings.H =
      read_interval(options, settings.H, "fewest local steps between two synchronizations");
  settings.alpha = options.number(
      "alpha", {.min = 0,
                .max = 1e6,
                .meaning = "H = max(H, floor((alpha/learning rate)^exponent)); 0: H throughout"});
  settings.exponent = options.number(
      "exponent", {.fallback = settings.exponent,
                   .min = 0.1,
                   .max = 10,
                   .meaning = "2: the quadratic rule; 1 and 3: the linear and the cubic one"});
  settings.start_samples = options.integer(
      "start_samples", {.fallback = settings.start_samples,
                        .min = 0,
                        .meaning = "samples, of all workers together, before which H applies; the "
                                   "end of the warm-up, where the learning rate is small for "
                                   "another reason"});
  return make_quadratic_interval(settings);
}

SyncInterval make_adacomm_interval(const AdacommSettings& settings) {
  const auto rule = [first = settings.H](const SyncContext& context) {
    if (context.round == 0 || !(context.first_loss > 0)) return first;
    const double wanted = std::ceil(std::sqrt(context.last_loss / context.first_loss) * first);
    return std::isnan(wanted) ? first
                              : static_cast<int>(std::clamp(wanted, 1.0, 1.0 * kMaxInterval));
  };
  return {.rule = rule, .depends_on_losses = true};
}

SyncInterval make_adacomm_interval(Options& options) {
  return make_adacomm_interval(
      {.H = read_interval(options, std::nullopt,
                          "local steps of the first round; later ones have ceil(H "
                          "sqrt(loss of the round before/loss of the first))")});
}

namespace {

std::string constant_label(std::span<const KeyValue> settings) {
  return "H = " + value_of(settings, "sync_interval.H");
}

}  // namespace

std::span<const PartRow<SyncInterval>> sync_interval_table() {
  static constexpr std::array<PartRow<SyncInterval>, 5> kTable{{
      {.name = "constant",
       .summary = "the same number of local steps in every round",
       .make = make_constant_interval,
       .formula = "H local steps in every round",
       .source = "Local SGD (Stich 2019, as recalled)",
       .label = constant_label},
      {.name = "post_local",
       .summary = "one local step per round at first, H later (Lin et al. 2020)",
       .make = make_post_local_interval,
       .formula = "1 local step while samples < start_samples, then H",
       .source = "Lin et al. 2020 and its code"},
      {.name = "stagewise",
       .summary = "a number for each stage of the run",
       .make = make_stagewise_interval,
       .formula =
           "H local steps before milestones[0] samples, H_after[i] from milestones[i] samples on",
       .source = "STL-SGD, as recalled, with stages of free choice"},
      {.name = "quadratic",
       .summary = "more local steps as the learning rate falls (QSR, Gu et al. 2024)",
       .make = make_quadratic_interval,
       .formula =
           "max(H, floor((alpha/lr)^exponent)) local steps from start_samples on, H before, with "
           "the lr of the round's first step",
       .source = "Gu et al. 2024 and its code"},
      {.name = "adacomm",
       .summary = "fewer local steps as the loss falls (AdaComm, Wang and Joshi 2019)",
       .make = make_adacomm_interval,
       .formula =
           "ceil(H sqrt(loss of the round before/loss of the first round)) local steps, H in the "
           "first round",
       .source =
           "Wang and Joshi 2019, without its factor for a changing learning rate (as recalled)"},
  }};
  return kTable;
}

}  // namespace localbatch
