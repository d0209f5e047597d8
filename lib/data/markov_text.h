#pragma once

#include <cstdint>

#include "data/dataset.h"
#include "data/token_windows.h"

namespace localbatch {

struct MarkovSettings {
  int symbols = 32;  ///< V
  int order = 1;     ///< tokens before one that decide what it can be: 1 or 2
  std::uint32_t train_tokens = 1'000'000;
  std::uint32_t test_tokens = 20'000;
  std::uint64_t generator_seed = 1;
};

/// Generates a text by a Markov chain whose entropy rate is known. Symbol c follows b, or a and b,
/// with probability
///
///     P(c | b)    = p[(c - s[b]) mod V]            (order 1)
///     P(c | a, b) = p[(c - s[b] - r[a]) mod V]     (order 2)
///     p[k] = w[k]/(w[0] + ... + w[V - 1]),  w[k] = floor(65536/(k + 1)^2)
///
/// where s and r are permutations of the symbols, drawn by generator_seed. Every row of the
/// transition matrix is p turned by some places, and so is every column: both sum to 1, hence all
/// symbols (all pairs of them) are equally frequent, and the entropy rate is the entropy of p
/// whatever the permutations are (Cover and Thomas 2006, section 4.2). A model that sees less
/// than the order, as one that only counts symbols, has the loss ln V; with order 2 that goes for
/// models that see one symbol alone.
///
/// Texts are the same bytes on every machine; a longer one begins with the shorter one. The first
/// tokens are uniform, so the chain is stationary from its beginning.
TokenText generate_markov_text(const MarkovSettings& settings);

/// The entropy rate in nats a token: what the loss of no model is below, but for chance.
double markov_entropy_rate(int symbols);

/// The letters, digits and marks that symbols are in a text; at most 95.
Alphabet markov_alphabet(int symbols);

DatasetFactory make_markov_text(Options& options);

}  // namespace localbatch
