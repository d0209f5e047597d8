#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "nn/network.h"
#include "nn/row_cut.h"
#include "nn/team.h"

namespace localbatch {

/// Norms and inner products of the gradients of single sequences, which are added up over the
/// parameters of a decoder. Work that runs on several threads is cut into units, each with a row of
/// its own, and the rows are added in their order.
class SequenceSums {
 public:
  SequenceSums(const SampleSums& wanted, int sequences)
      : wanted_(wanted), sequences_(static_cast<std::size_t>(sequences)) {}

  bool wants_norms() const { return !wanted_.squared_norms.empty(); }
  bool wants_inner_products() const { return !wanted_.inner_products.empty(); }
  std::span<const float> direction() const { return wanted_.direction; }

  /// The units of work that follow, until end(), may add.
  void begin(int units);
  void add(int unit, int sequence, double squared_norm, double inner_product);
  void end();

 private:
  struct Sums {
    double squared_norm = 0, inner_product = 0;
  };
  SampleSums wanted_;
  std::size_t sequences_;
  std::vector<Sums> rows_;  ///< [unit][sequence]
};

/// What a backward pass gives beside diffs.
struct GradientPass {
  std::span<float> gradient;  ///< of all parameters; empty: not wanted
  GradientUse use = GradientUse::kAdd;
  SequenceSums* sums = nullptr;  ///< null: not wanted

  bool wants_gradient() const { return !gradient.empty(); }
};

/// Calls work(unit, thread) for so many units of work that give gradients, and adds up their sums.
void run_gradient_units(Team& team, const GradientPass& pass, int units,
                        const std::function<void(int, Thread&)>& work);

/// Adds a piece of a sequence's gradient, which lies at `offset` among the parameters, to the sums
/// of that sequence.
void add_to_sums(SequenceSums& sums, int unit, int sequence, std::span<const float> gradient,
                 std::size_t offset);

/// The gradient by `width` parameters at `offset` whose parts are known by segment, [segment]
/// [width]: parts of a sequence are added in their order and so are sequences. Overwrites the
/// parts. `unit` is that of the sums.
void finish_segments(const RowCut& cut, std::span<float> parts, int width, std::size_t offset,
                     int unit, const GradientPass& pass);

}  // namespace localbatch
