#include "train/gradient_meter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/vector_math.h"

namespace localbatch {

GradientMeter::GradientMeter(const Measurement& measurement, Communicator& comm)
    : measurement_(measurement), comm_(comm), chunks_(measurement.needs.inner_products) {
  check(measurement.statistics.chunks != Chunks::kDelta || measurement.steps.has_value(),
        "displacements tell about gradients where steps are linear in them");
}

void GradientMeter::begin_round(std::int64_t round, bool statistics, int local_batch_size,
                                int local_steps, const MomentumCarry& carry) {
  carry_ = carry;
  round_ = round;
  wants_statistics_ = statistics;
  audits_ = measurement_.audit.due(round);
  local_batch_size_ = local_batch_size;
  local_steps_ = local_steps;
  learning_rates_.clear();
  measured_.reset();
}

bool GradientMeter::is_measured_step() const {
  return measures() && h_ == (measurement_.statistics.at_first_step ? 0 : local_steps_ - 1);
}

void GradientMeter::before_step(Worker& worker, int h, double learning_rate) {
  h_ = h;
  learning_rates_.push_back(learning_rate);
  if (!is_measured_step()) return;
  if (measurement_.statistics.chunks == Chunks::kSamples)
    samples_ = worker.sample_gradients(
        {.samples = local_batch_size_, .inner_products = measurement_.needs.inner_products});
  if (!audits_) return;
  const AuditOptions& audit = measurement_.audit;
  const int workers = comm_.num_workers();
  const int mine = audit.samples / workers + (comm_.worker() < audit.samples % workers ? 1 : 0);
  audit_samples_ = worker.sample_gradients(
      {.samples = mine, .audit_round = round_, .inner_products = audit.inner_products});
}

ChunkGradients* GradientMeter::listener() {
  const bool listens =
      is_measured_step() && measurement_.statistics.chunks == Chunks::kMicroBatches;
  return listens ? &chunks_ : nullptr;
}

void GradientMeter::after_step(const Worker& worker) {
  // The gradient of the last step is still there when the round is over.
  const bool overwritten = h_ < local_steps_ - 1;
  if (is_measured_step() && measurement_.statistics.chunks == Chunks::kWorkers && overwritten)
    first_gradient_.assign(worker.gradient().begin(), worker.gradient().end());
}

void GradientMeter::synchronize(std::span<const float> x, std::span<const float> mean,
                                std::span<const float> x_begin) {
  if (measurement_.statistics.chunks != Chunks::kDelta || !measures()) return;
  distance_ = squared_distance(x, mean);
  displacement_ = squared_distance(mean, x_begin);
  if (!measurement_.needs.inner_products) return;
  along_ = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    along_ += (double{x[i]} - double{mean[i]}) * (double{mean[i]} - double{x_begin[i]});
}

GroupSums GradientMeter::sums_of_workers(std::span<const float> gradient, std::span<float> mean) {
  comm_.average(gradient, mean, Traffic::kGradients);
  const double workers = comm_.num_workers(), b = local_batch_size_;
  const double norm = squared_norm(mean);
  std::array<double, 2> sums{squared_distance(gradient, mean), 0};
  if (measurement_.needs.inner_products) {
    const double along = inner_product(gradient, mean) - norm;
    sums[1] = along * along;
  }
  comm_.sum(sums, Traffic::kStatistics);
  return {.groups = 1,
          .chunks = workers,
          .squared_norm = norm,
          .inverse_samples = 1 / (workers * b),
          .variation = b * sums[0],
          .along = b * sums[1],
          .relative_along = norm > 0 ? b * sums[1] / norm : 0};
}

/// A displacement divided by the response's gain is a mean gradient of gain^2/noise samples.
GroupSums GradientMeter::sums_of_displacements() {
  const RoundResponse response =
      round_response(*measurement_.steps, carry_, learning_rates_, local_batch_size_);
  const double gain_squared = response.gain * response.gain;
  const double samples = gain_squared / response.noise;
  const double workers = comm_.num_workers();
  std::array<double, 2> sums{distance_, along_ * along_};
  comm_.sum(sums, Traffic::kStatistics);
  const double norm = displacement_ / gain_squared;
  const double variation = samples * sums[0] / gain_squared;
  const double along = samples * sums[1] / (gain_squared * gain_squared);
  return {.groups = 1,
          .chunks = workers,
          .squared_norm = norm,
          .inverse_samples = 1 / (workers * samples),
          .variation = variation,
          .along = along,
          .relative_along = norm > 0 ? along / norm : 0};
}

CoordinateRatios GradientMeter::coordinate_ratios(std::span<const float> gradient,
                                                  std::span<const float> mean) const {
  std::vector<float> squares(gradient.size());
  for (std::size_t i = 0; i < squares.size(); ++i) {
    const float difference = gradient[i] - mean[i];
    squares[i] = difference * difference;
  }
  comm_.average(squares, squares, Traffic::kGradients);
  const double workers = comm_.num_workers();
  const double divisor = measurement_.statistics.divide_by_chunks ? workers : workers - 1;
  const double factor = local_batch_size_ * workers / divisor;
  constexpr float kLargest = std::numeric_limits<float>::max();
  for (std::size_t i = 0; i < squares.size(); ++i) {
    if (squares[i] == 0) continue;
    const double ratio = factor * double{squares[i]} / (double{mean[i]} * double{mean[i]});
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

std::optional<GradientStatistics> GradientMeter::statistics(const Worker& worker,
                                                            std::span<float> scratch) {
  if (!measures()) return {};
  const StatisticsOptions& options = measurement_.statistics;
  const bool first = options.at_first_step && local_steps_ > 1;
  const std::span<const float> gradient =
      first ? std::span<const float>(first_gradient_) : worker.gradient();
  measured_ = estimate(measured_sums(gradient, scratch), comm_.num_workers(), local_batch_size_,
                       options, measurement_.needs.inner_products);
  if (measurement_.needs.coordinates && comm_.num_workers() > 1)
    measured_->coordinate_ratios = coordinate_ratios(gradient, scratch);
  return measured_;
}

GroupSums GradientMeter::measured_sums(std::span<const float> gradient, std::span<float> mean) {
  switch (measurement_.statistics.chunks) {
    case Chunks::kWorkers:
      return sums_of_workers(gradient, mean);
    case Chunks::kMicroBatches:
      return sum_over_workers(chunks_.sums(), comm_);
    case Chunks::kSamples:
      return sum_over_workers(group_sums(samples_), comm_);
    case Chunks::kDelta:
      return sums_of_displacements();
  }
  broken("chunks are one of their enumerators");
}

std::optional<Audit> GradientMeter::audit(const WishOf& wish) {
  if (!audits_) return {};
  return audit_statistics(*measured_, audit_samples_, measurement_.statistics, local_batch_size_,
                          wish, comm_);
}

}  // namespace localbatch
