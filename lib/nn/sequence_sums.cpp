#include "nn/sequence_sums.h"

#include <algorithm>

#include "core/vector_math.h"

namespace localbatch {

void SequenceSums::begin(int units) {
  rows_.assign(static_cast<std::size_t>(units) * sequences_, {});
}

void SequenceSums::add(int unit, int sequence, double squared_norm, double inner_product) {
  Sums& sums =
      rows_[static_cast<std::size_t>(unit) * sequences_ + static_cast<std::size_t>(sequence)];
  sums.squared_norm += squared_norm;
  sums.inner_product += inner_product;
}

void SequenceSums::end() {
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const std::size_t sequence = i % sequences_;
    if (wants_norms()) wanted_.squared_norms[sequence] += rows_[i].squared_norm;
    if (wants_inner_products()) wanted_.inner_products[sequence] += rows_[i].inner_product;
  }
  rows_.clear();
}

void run_gradient_units(Team& team, const GradientPass& pass, int units,
                        const std::function<void(int, Thread&)>& work) {
  if (pass.sums != nullptr) pass.sums->begin(units);
  team.for_each(units, Phase::kBackwardWeights, work);
  if (pass.sums != nullptr) pass.sums->end();
}

void add_to_sums(SequenceSums& sums, int unit, int sequence, std::span<const float> gradient,
                 std::size_t offset) {
  sums.add(unit, sequence, sums.wants_norms() ? squared_norm(gradient) : 0,
           sums.wants_inner_products()
               ? inner_product(gradient, sums.direction().subspan(offset, gradient.size()))
               : 0);
}

void finish_segments(const RowCut& cut, std::span<float> parts, int width, std::size_t offset,
                     int unit, const GradientPass& pass) {
  const auto size = static_cast<std::size_t>(width);
  const auto segment = [&](int index) {
    return parts.subspan(static_cast<std::size_t>(index) * size, size);
  };
  const auto add = [](std::span<float> sum, std::span<const float> part) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += part[i];
  };
  for (int sequence = 0; sequence < cut.sequences(); ++sequence) {
    const std::span<float> mine = segment(sequence * cut.parts());
    for (int part = 1; part < cut.parts(); ++part)
      add(mine, segment(sequence * cut.parts() + part));
    if (pass.sums != nullptr) add_to_sums(*pass.sums, unit, sequence, mine, offset);
    if (sequence > 0) add(segment(0), mine);
  }
  if (!pass.wants_gradient()) return;
  const std::span<float> gradient = pass.gradient.subspan(offset, size);
  if (pass.use == GradientUse::kReplace)
    std::ranges::copy(segment(0), gradient.begin());
  else
    add(gradient, segment(0));
}

}  // namespace localbatch
