#include "optim/inner_optimizer.h"

#include <array>

namespace localbatch {

InnerOptimizerChoice make_sgd(Options& options);    // sgd.cpp
InnerOptimizerChoice make_adamw(Options& options);  // adamw.cpp

StatePolicy read_state_policy(Options& options, std::string_view key, std::string_view fallback,
                              std::string_view meaning) {
  const std::string name = options.choice(key, {.fallback = std::string(fallback),
                                                .choices = {"keep", "average", "reset"},
                                                .meaning = meaning});
  if (name == "keep") return StatePolicy::kKeep;
  return name == "average" ? StatePolicy::kAverage : StatePolicy::kReset;
}

std::span<const PartRow<InnerOptimizerChoice>> inner_optimizer_table() {
  static constexpr std::array<PartRow<InnerOptimizerChoice>, 2> kTable{{
      {"sgd", "stochastic gradient descent, with heavy-ball or Nesterov momentum", make_sgd},
      {"adamw", "Adam with decoupled weight decay (Loshchilov and Hutter 2019)", make_adamw},
  }};
  return kTable;
}

}  // namespace localbatch
