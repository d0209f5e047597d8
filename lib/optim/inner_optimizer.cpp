#include "optim/inner_optimizer.h"

#include <array>

namespace localbatch {

StatePolicy read_at_sync(Options& options, std::string_view meaning) {
  return options.choice<StatePolicy>("at_sync", {.fallback = StatePolicy::kKeep,
                                                 .choices = {{"keep", StatePolicy::kKeep},
                                                             {"average", StatePolicy::kAverage},
                                                             {"reset", StatePolicy::kReset}},
                                                 .meaning = meaning});
}

std::span<const PartRow<InnerOptimizerFactory>> inner_optimizer_table() {
  static constexpr std::array<PartRow<InnerOptimizerFactory>, 2> kTable{{
      {.name = "sgd",
       .summary = "stochastic gradient descent, with heavy-ball or Nesterov momentum",
       .make = make_sgd,
       .formula =
           "g = gradient + weight_decay x, u = momentum u + g, x = x - lr u; with nesterov x = x "
           "- lr (g + momentum u)",
       .source = "as torch.optim.SGD of PyTorch, with dampening 0"},
      {.name = "adamw",
       .summary = "Adam with decoupled weight decay (Loshchilov and Hutter 2019)",
       .make = make_adamw,
       .formula =
           "m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, x = (1 - lr "
           "weight_decay) x - lr/(1 - beta1^t) m/(sqrt(v/(1 - beta2^t)) + epsilon) at step t = "
           "1, 2, ...",
       .source = "Loshchilov and Hutter 2019, as torch.optim.AdamW of PyTorch"},
  }};
  return kTable;
}

}  // namespace localbatch
