#include "train/parameter_stream.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/error.h"
#include "core/state.h"
#include "core/vector_math.h"
#include "train/method.h"

namespace localbatch {

namespace {

template <class T>
std::span<T> part(std::span<T> whole, Slice slice) {
  return whole.subspan(slice.begin, slice.size());
}

}  // namespace

FragmentTimes times_of(const StreamOptions& options, int p, int H) {
  const int delay = std::min(options.delay, H - 1);
  const int sent = ((p + 1) * (H - delay) + options.fragments - 1) / options.fragments;
  return {.sent = sent, .arrives = sent + delay};
}

ParameterStream::ParameterStream(const LocalSgd& method, std::span<const float> x,
                                 const OuterOptimizerFactory& make_outer_optimizer,
                                 Communicator& comm)
    : GlobalParameters(x),
      options_(*method.stream),
      comm_(comm),
      own_(x.begin(), x.end()),
      sent_(x.size()),
      mean_(x.size()) {
  check(method.format.sends_all(), "averages that go on beside local steps are of whole arrays");
  const auto count = static_cast<std::size_t>(options_.fragments);
  for (std::size_t p = 0; p < count; ++p) {
    const Slice slice = slice_of(x.size(), p, count, block_of(method.format.payload));
    fragments_.push_back(
        {.slice = slice,
         .average = ParameterAverage(method.format, slice.size(), method.num_workers),
         .outer_optimizer = make_outer_optimizer(slice.size())});
  }
}

void ParameterStream::begin(const RoundPlan& round, std::span<float> x) {
  H_ = round.local_steps;
  outer_step_ = outer_step_of(round);
  drift_ = 0;
  std::ranges::copy(own_, x.begin());
}

void ParameterStream::after_step(int steps, std::span<float> x) {
  for (std::size_t p = 0; p < fragments_.size(); ++p)
    if (times_of(options_, static_cast<int>(p), H_).sent == steps) send(fragments_[p], x);
  for (std::size_t p = 0; p < fragments_.size(); ++p)
    if (times_of(options_, static_cast<int>(p), H_).arrives == steps) receive(fragments_[p], x);
}

void ParameterStream::move(std::span<float> x) {
  std::ranges::copy(x, own_.begin());
  std::ranges::copy(values(), x.begin());
}

void ParameterStream::send(Fragment& fragment, std::span<const float> x) {
  const std::span<float> sent = part(std::span(sent_), fragment.slice);
  std::ranges::copy(part(x, fragment.slice), sent.begin());
  const Exchange average = fragment.average.begin(sent, part(values(), fragment.slice),
                                                  part(std::span(mean_), fragment.slice));
  comm_.start_average(average.averaged.front());
}

void ParameterStream::receive(Fragment& fragment, std::span<float> x) {
  const std::span<float> global = part(x_global(), fragment.slice);
  const std::span<float> mean = part(std::span(mean_), fragment.slice);
  const std::span<const float> sent = part(std::span(sent_), fragment.slice);
  comm_.finish_average();
  fragment.average.finish(global, mean);
  drift_ += squared_distance(sent, mean);
  fragment.outer_optimizer->step(global, mean, outer_step_);

  const std::span<float> own = part(x, fragment.slice);
  const auto kept = static_cast<float>(1 - options_.mix);
  for (std::size_t i = 0; i < own.size(); ++i) {
    const float arrives = options_.keeps_late_steps ? global[i] + (own[i] - sent[i]) : global[i];
    own[i] = kept == 0 ? arrives : arrives + kept * (own[i] - arrives);
  }
}

double ParameterStream::squared_residual() const {
  double sum = 0;
  for (const Fragment& fragment : fragments_) sum += fragment.average.squared_residual();
  return sum;
}

void ParameterStream::visit_common_state(StateVisitor& visitor) {
  for (std::size_t p = 0; p < fragments_.size(); ++p)
    visitor.visit(fmt::format("outer_optimizer.{}", p), fragments_[p].outer_optimizer->state());
}

void ParameterStream::visit_own_state(StateVisitor& visitor) {
  visitor.visit("own_parameters", std::span(own_));
  for (Fragment& fragment : fragments_) fragment.average.visit_state(visitor);
}

}  // namespace localbatch
