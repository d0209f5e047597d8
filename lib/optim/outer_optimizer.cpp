#include "optim/outer_optimizer.h"

#include <array>

namespace localbatch {

OuterOptimizerMaker make_averaging(Options& options);  // averaging.cpp

std::span<const PartRow<OuterOptimizerMaker>> outer_optimizer_table() {
  static constexpr std::array<PartRow<OuterOptimizerMaker>, 1> kTable{{
      {"averaging", "the mean of the workers' parameters becomes the global ones", make_averaging},
  }};
  return kTable;
}

}  // namespace localbatch
