#include "optim/outer_optimizer.h"

#include <array>

namespace localbatch {

OuterOptimizerMaker make_averaging(Options& options);  // averaging.cpp
OuterOptimizerMaker make_nesterov(Options& options);   // nesterov.cpp
OuterOptimizerMaker make_slowmo(Options& options);     // slowmo.cpp

std::span<const PartRow<OuterOptimizerMaker>> outer_optimizer_table() {
  static constexpr std::array<PartRow<OuterOptimizerMaker>, 3> kTable{{
      {"averaging", "the mean of the workers' parameters becomes the global ones", make_averaging},
      {"nesterov", "SGD with Nesterov momentum along the mean move (DiLoCo, Douillard et al. 2023)",
       make_nesterov},
      {"slowmo", "momentum over rounds, in units of the learning rate (Wang et al. 2020)",
       make_slowmo},
  }};
  return kTable;
}

}  // namespace localbatch
