#include "optim/outer_optimizer.h"

#include <array>

namespace localbatch {

OuterOptimizerMaker make_averaging(Options& options);  // averaging.cpp
OuterOptimizerMaker make_nesterov(Options& options);   // nesterov.cpp
OuterOptimizerMaker make_slowmo(Options& options);     // slowmo.cpp

std::span<const PartRow<OuterOptimizerMaker>> outer_optimizer_table() {
  static constexpr std::array<PartRow<OuterOptimizerMaker>, 3> kTable{{
      {.name = "averaging",
       .summary = "the mean of the workers' parameters becomes the global ones",
       .make = make_averaging,
       .formula = "x = mean, the mean of the workers' parameters after their H steps",
       .source = "Local SGD (Stich 2019, as recalled)"},
      {.name = "nesterov",
       .summary = "SGD with Nesterov momentum along the mean move (DiLoCo, Douillard et al. 2023)",
       .make = make_nesterov,
       .formula =
           "d = x - mean, u = momentum u + d, x = x - learning_rate (d + momentum u), with the "
           "mean of the workers' parameters",
       .source =
           "Douillard et al. 2023, defaults of OpenDiLoCo's code; Nesterov as PyTorch defines "
           "it, as recalled"},
      {.name = "slowmo",
       .summary = "momentum over rounds, in units of the learning rate (Wang et al. 2020)",
       .make = make_slowmo,
       .formula =
           "u = momentum u + (x - mean)/lr, x = x - learning_rate lr u, with the mean of the "
           "workers' parameters and the lr of the round's last step; lr = 0 leaves x and u as "
           "they are",
       .source = "Wang et al. 2020, defaults of FairScale's code"},
  }};
  return kTable;
}

}  // namespace localbatch
