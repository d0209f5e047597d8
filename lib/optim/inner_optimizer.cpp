#include "optim/inner_optimizer.h"

#include <algorithm>
#include <array>

namespace localbatch {

double clip_factor(double norm, double clip_norm) {
  constexpr double kAgainstZero = 1e-6;
  return clip_norm > 0 ? std::min(1.0, clip_norm / (norm + kAgainstZero)) : 1;
}

double read_clip_norm(Options& options) {
  return options.number(
      "clip_norm", {.fallback = 0,
                    .min = 0,
                    .max = 1e9,
                    .meaning = "longer gradients of a worker's local step are shortened to this "
                               "norm, all parameters together, before anything else is done with "
                               "them; 0: none. Statistics are those of the gradients themselves"});
}

StatePolicy read_at_sync(Options& options, std::string_view meaning) {
  return options.choice<StatePolicy>("at_sync", {.fallback = StatePolicy::kKeep,
                                                 .choices = {{"keep", StatePolicy::kKeep},
                                                             {"average", StatePolicy::kAverage},
                                                             {"reset", StatePolicy::kReset}},
                                                 .meaning = meaning});
}

std::span<const PartRow<InnerOptimizerFactory>> inner_optimizer_table() {
  static constexpr std::array<PartRow<InnerOptimizerFactory>, 3> kTable{{
      {.name = "sgd",
       .summary = "stochastic gradient descent, with heavy-ball or Nesterov momentum",
       .make = make_sgd,
       .formula =
           "g = gradient + weight_decay x, u = momentum u + g, x = x - lr u; with nesterov x = x "
           "- lr (g + momentum u); the gradient times min(1, clip_norm/(its norm + 1e-6)) if "
           "clip_norm > 0",
       .source = "as torch.optim.SGD of PyTorch, with dampening 0, and clip_grad_norm_"},
      {.name = "adamw",
       .summary = "Adam with decoupled weight decay (Loshchilov and Hutter 2019)",
       .make = make_adamw,
       .formula =
           "m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, x = (1 - lr "
           "weight_decay) x - lr/(1 - beta1^t) m/(sqrt(v/(1 - beta2^t)) + epsilon) at step t = "
           "1, 2, ...; g is the gradient times min(1, clip_norm/(its norm + 1e-6)) if clip_norm > "
           "0",
       .source = "Loshchilov and Hutter 2019, as torch.optim.AdamW of PyTorch, and "
                 "clip_grad_norm_"},
      {.name = "muon",
       .summary = "momentum made orthogonal for hidden matrices and filters (Jordan 2024), AdamW "
                  "for all other parameters",
       .make = make_muon,
       .formula =
           "u = momentum u + g, X = u (nesterov: g + momentum u) as a matrix with a row for every "
           "output, X = X/(|X| + 1e-7), then newton_schulz_steps times X = 3.4445 X + (2.0315 A^2 "
           "- 4.775 A) X with A = X X^T; x = (1 - lr weight_decay) x - lr scale X; others: adamw "
           "with beta1, beta2 and epsilon at adamw_rate lr, biases and normalizations without "
           "weight_decay; g is the gradient times min(1, clip_norm/(its norm + 1e-6)) if "
           "clip_norm > 0",
       .source = "Jordan and others 2024, as torch.optim.Muon of PyTorch, in f32; match_adamw: Liu "
                 "and others 2025 (arXiv 2502.16982). adamw_rate is a choice of this project"},
  }};
  return kTable;
}

}  // namespace localbatch
