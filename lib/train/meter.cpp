#include "train/meter.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/state.h"
#include "core/vector_math.h"

namespace localbatch {

Meter::Meter(const LocalSgd& method, Communicator& comm)
    : method_(method),
      options_(method.meter_options()),
      comm_(comm),
      chunks_(options_.needs.inner_products) {
  check(method.statistics.chunks != Chunks::kDelta || method.inner_steps.has_value(),
        "displacements tell about gradients where steps are linear in them");
}

void Meter::visit_state(StateVisitor& visitor) {
  for (MovingAverages* const averages : {&tested_averages_, &observed_averages_}) {
    auto& [sums, weight] = *averages;
    visitor.visit("averages.sums", std::span(sums));
    visitor.visit("averages.weight", weight);
  }
  auto& [gain, noise] = carry_;
  visitor.visit("carry.gain", gain);
  visitor.visit("carry.noise", noise);
}

void Meter::begin(const RoundPlan& plan) {
  plan_ = plan;
  gradient_norms_ = 0;
  clipped_steps_ = 0;
  learning_rates_.clear();
}

bool Meter::is_measured_step(int h) const {
  return plan_.measured() && h == (options_.statistics.at_first_step ? 0 : plan_.local_steps - 1);
}

double Meter::local_step(Worker& worker, int h) {
  const bool measured = is_measured_step(h);
  const Chunks chunks = options_.statistics.chunks;
  const double learning_rate = plan_.learning_rate(h);
  learning_rates_.push_back(learning_rate);
  if (measured) look_before_step(worker);
  const bool listens = measured && chunks == Chunks::kMicroBatches;
  const double loss =
      worker.local_step(plan_.local_batch_size, learning_rate, listens ? &chunks_ : nullptr);
  const GradientLength length = worker.gradient_length();
  gradient_norms_ += length.norm;
  clipped_steps_ += length.clipped ? 1 : 0;
  // The gradient of the last step is still there when the round is over.
  const bool overwritten = h < plan_.local_steps - 1;
  if (measured && averages_gradients() && overwritten)
    first_gradient_.assign(worker.gradient().begin(), worker.gradient().end());
  return loss;
}

/// Gradients of single samples have met their mean before the step.
bool Meter::averages_gradients() const {
  return options_.statistics.averages_gradients() && options_.statistics.chunks != Chunks::kSamples;
}

void Meter::look_before_step(Worker& worker) {
  const bool own_gradients = options_.statistics.own_gradients;
  if (options_.statistics.chunks == Chunks::kSamples)
    samples_ = look_at_samples(
        worker, {.count = plan_.local_batch_size},
        options_.needs.inner_products ? SampleProducts::kMean : SampleProducts::kNone,
        own_gradients, comm_);
  if (!plan_.audited) return;
  const AuditOptions& audit = options_.audit;
  const int each = worker.independent_samples(plan_.local_batch_size);
  const int all = audit.samples / each, workers = comm_.num_workers();
  const SampleRequest request{.count = all / workers + (comm_.worker() < all % workers ? 1 : 0),
                              .samples_each = each,
                              .audit_round = plan_.round};
  const bool tests_products = method_.controller->needs().inner_products;
  const SampleProducts products = tests_products         ? SampleProducts::kLeaveOneOutOfProducts
                                  : audit.inner_products ? SampleProducts::kLeaveOneOut
                                                         : SampleProducts::kNone;
  audit_samples_ = look_at_samples(worker, request, products, own_gradients, comm_);
  if (audit.samples_in_batch) audit_in_batch_ = look_into_batches(worker, request, audit_samples_);
}

void Meter::add_averaged(const Worker& worker, std::vector<Averaged>& averaged) {
  if (!averages_gradients() || !plan_.measured()) return;
  const bool first = options_.statistics.at_first_step && plan_.local_steps > 1;
  gradient_ = first ? std::span<const float>(first_gradient_) : worker.gradient();
  mean_gradient_.resize(gradient_.size());
  averaged.push_back({.mine = gradient_, .mean = mean_gradient_, .traffic = Traffic::kGradients});
}

GroupSums Meter::own_sums(std::span<const float> x, std::span<const float> mean,
                          std::span<const float> x_begin) {
  if (!plan_.measured()) return {};
  switch (options_.statistics.chunks) {
    case Chunks::kWorkers:
      return share_of_worker();
    case Chunks::kMicroBatches:
      return options_.statistics.own_gradients ? chunks_.sums()
                                               : chunks_.sums(mean_gradient_, comm_.num_workers());
    case Chunks::kSamples:
      return group_sums(samples_);
    case Chunks::kDelta:
      return share_of_displacement(x, mean, x_begin);
  }
  internal_error("chunks are one of their enumerators");
}

/// All workers together are one group, for which worker 0 speaks, and each is a chunk of b samples.
GroupSums Meter::share_of_worker() const {
  const double workers = comm_.num_workers(), b = plan_.local_batch_size;
  const double speaks = comm_.worker() == 0 ? 1 : 0;
  const double norm = squared_norm(mean_gradient_);
  const double projection =
      options_.needs.inner_products ? inner_product(gradient_, mean_gradient_) - norm : 0;
  const double deviation = b * squared_distance(gradient_, mean_gradient_);
  return {.groups = speaks,
          .chunks = 1,
          .squared_norm = speaks * norm,
          .inverse_samples = speaks / (workers * b),
          .deviation_squares = deviation,
          .inner_product_squares = b * projection * projection,
          .scaled_inner_product_squares = norm > 0 ? b * projection * projection / norm : 0,
          .squared_deviations = deviation * deviation};
}

/// As share_of_worker() with displacements: divided by the response's gain they are mean gradients
/// of gain^2/noise samples.
GroupSums Meter::share_of_displacement(std::span<const float> x, std::span<const float> mean,
                                       std::span<const float> x_begin) {
  const RoundResponse response =
      round_response(*method_.inner_steps, carry_, learning_rates_, plan_.local_batch_size);
  const double gain_squared = response.gain * response.gain;
  const double samples = gain_squared / response.noise;
  const double workers = comm_.num_workers();
  const double speaks = comm_.worker() == 0 ? 1 : 0;
  const double norm = squared_distance(mean, x_begin) / gain_squared;
  double projection = 0;
  if (options_.needs.inner_products)
    for (std::size_t i = 0; i < x.size(); ++i)
      projection += (double{x[i]} - double{mean[i]}) * (double{mean[i]} - double{x_begin[i]});
  projection /= gain_squared;
  const double deviation = samples * squared_distance(x, mean) / gain_squared;
  return {.groups = speaks,
          .chunks = 1,
          .squared_norm = speaks * norm,
          .inverse_samples = speaks / (workers * samples),
          .deviation_squares = deviation,
          .inner_product_squares = samples * projection * projection,
          .scaled_inner_product_squares = norm > 0 ? samples * projection * projection / norm : 0,
          .squared_deviations = deviation * deviation};
}

CoordinateRatios Meter::coordinate_ratios() const {
  std::vector<float> squares(gradient_.size());
  for (std::size_t i = 0; i < squares.size(); ++i) {
    const float difference = gradient_[i] - mean_gradient_[i];
    squares[i] = difference * difference;
  }
  comm_.average(squares, squares, Traffic::kGradients);
  const double workers = comm_.num_workers();
  const double divisor = options_.statistics.divide_by_chunks ? workers : workers - 1;
  const double factor = plan_.local_batch_size * workers / divisor;
  constexpr float kLargest = std::numeric_limits<float>::max();
  for (std::size_t i = 0; i < squares.size(); ++i) {
    if (squares[i] == 0) continue;
    const double ratio =
        factor * double{squares[i]} / (double{mean_gradient_[i]} * double{mean_gradient_[i]});
    squares[i] = ratio < kLargest ? static_cast<float>(ratio) : kLargest;  // NaN too
  }
  CoordinateRatios ratios{};
  auto begin = squares.begin();
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    const auto rank = static_cast<std::ptrdiff_t>(
        std::ceil(kCoordinateShares[i] * static_cast<double>(squares.size())));
    const auto nth = squares.begin() + std::max<std::ptrdiff_t>(rank - 1, 0);
    std::nth_element(begin, nth, squares.end());
    ratios[i] = double{*nth};
    begin = nth;
  }
  return ratios;
}

GradientStatistics Meter::measured_statistics(const GroupSums& sums) const {
  GradientStatistics measured = estimate(sums, comm_.num_workers(), plan_.local_batch_size,
                                         options_.statistics, options_.needs.inner_products);
  if (options_.needs.coordinates && comm_.num_workers() > 1)
    measured.coordinate_ratios = coordinate_ratios();
  return measured;
}

RoundStatistics Meter::statistics(const RoundNumbers& all) {
  RoundStatistics read;
  if (plan_.measured()) {
    const GradientStatistics measured = measured_statistics(all.gradients);
    const double decay = options_.statistics.moving_average;
    if (plan_.observed) read.observed = average_in(measured, decay, observed_averages_);
    if (plan_.tested) {
      read.measured = measured;
      read.statistics = average_in(measured, decay, tested_averages_);
      read.statistics->has_inner_products = method_.shows_inner_products();
    }
    if (plan_.audited) {
      const int b = plan_.local_batch_size;
      read.audit = audit_statistics(measured, audit_samples_, options_.statistics, b,
                                    method_.wanted_of(plan_, all), comm_);
      if (options_.audit.samples_in_batch)
        read.audit->samples_in_batch =
            statistics_in_batch(audit_in_batch_, options_.statistics, b, comm_);
    }
  }
  if (method_.inner_steps)
    carry_ = after_round(*method_.inner_steps, method_.velocity_at_sync, carry_, plan_.local_steps,
                         plan_.local_batch_size);
  return read;
}

}  // namespace localbatch
