#include "train/meter.h"

#include <algorithm>
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

void GradientMeter::add_averaged(const Worker& worker, std::vector<Averaged>& averaged) {
  if (measurement_.statistics.chunks != Chunks::kWorkers || !measures()) return;
  const bool first = measurement_.statistics.at_first_step && local_steps_ > 1;
  gradient_ = first ? std::span<const float>(first_gradient_) : worker.gradient();
  mean_gradient_.resize(gradient_.size());
  averaged.push_back({.mine = gradient_, .mean = mean_gradient_, .traffic = Traffic::kGradients});
}

GroupSums GradientMeter::own_sums(std::span<const float> x, std::span<const float> mean,
                                  std::span<const float> x_begin) {
  if (!measures()) return {};
  switch (measurement_.statistics.chunks) {
    case Chunks::kWorkers:
      return share_of_worker();
    case Chunks::kMicroBatches:
      return chunks_.sums();
    case Chunks::kSamples:
      return group_sums(samples_);
    case Chunks::kDelta:
      return share_of_displacement(x, mean, x_begin);
  }
  internal_error("chunks are one of their enumerators");
}

/// All workers together are one group, for which worker 0 speaks, and each is a chunk of b samples.
GroupSums GradientMeter::share_of_worker() const {
  const double workers = comm_.num_workers(), b = local_batch_size_;
  const double speaks = comm_.worker() == 0 ? 1 : 0;
  const double norm = squared_norm(mean_gradient_);
  const double along =
      measurement_.needs.inner_products ? inner_product(gradient_, mean_gradient_) - norm : 0;
  return {.groups = speaks,
          .chunks = 1,
          .squared_norm = speaks * norm,
          .inverse_samples = speaks / (workers * b),
          .variation = b * squared_distance(gradient_, mean_gradient_),
          .along = b * along * along,
          .relative_along = norm > 0 ? b * along * along / norm : 0};
}

/// The same with displacements: divided by the response's gain they are mean gradients of
/// gain^2/noise samples.
GroupSums GradientMeter::share_of_displacement(std::span<const float> x,
                                               std::span<const float> mean,
                                               std::span<const float> x_begin) {
  const RoundResponse response =
      round_response(*measurement_.steps, carry_, learning_rates_, local_batch_size_);
  const double gain_squared = response.gain * response.gain;
  const double samples = gain_squared / response.noise;
  const double workers = comm_.num_workers();
  const double speaks = comm_.worker() == 0 ? 1 : 0;
  const double norm = squared_distance(mean, x_begin) / gain_squared;
  double along = 0;
  if (measurement_.needs.inner_products)
    for (std::size_t i = 0; i < x.size(); ++i)
      along += (double{x[i]} - double{mean[i]}) * (double{mean[i]} - double{x_begin[i]});
  along /= gain_squared;
  return {.groups = speaks,
          .chunks = 1,
          .squared_norm = speaks * norm,
          .inverse_samples = speaks / (workers * samples),
          .variation = samples * squared_distance(x, mean) / gain_squared,
          .along = samples * along * along,
          .relative_along = norm > 0 ? samples * along * along / norm : 0};
}

CoordinateRatios GradientMeter::coordinate_ratios() const {
  std::vector<float> squares(gradient_.size());
  for (std::size_t i = 0; i < squares.size(); ++i) {
    const float difference = gradient_[i] - mean_gradient_[i];
    squares[i] = difference * difference;
  }
  comm_.average(squares, squares, Traffic::kGradients);
  const double workers = comm_.num_workers();
  const double divisor = measurement_.statistics.divide_by_chunks ? workers : workers - 1;
  const double factor = local_batch_size_ * workers / divisor;
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

std::optional<GradientStatistics> GradientMeter::statistics(const GroupSums& sums) {
  if (!measures()) return {};
  measured_ = estimate(sums, comm_.num_workers(), local_batch_size_, measurement_.statistics,
                       measurement_.needs.inner_products);
  if (measurement_.needs.coordinates && comm_.num_workers() > 1)
    measured_->coordinate_ratios = coordinate_ratios();
  return measured_;
}

std::optional<Audit> GradientMeter::audit(const WantedOf& wanted) {
  if (!audits_) return {};
  return audit_statistics(*measured_, audit_samples_, measurement_.statistics, local_batch_size_,
                          wanted, comm_);
}

}  // namespace localbatch
