#include "data/markov_text.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/random.h"

namespace localbatch {

namespace {

constexpr std::string_view kSymbols =
    "abcdefghijklmnopqrstuvwxyz .,;!?ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-'\":()[]{}<>/\\|@#$%^&*_+"
    "=~`";
static_assert(kSymbols.size() == 95);

/// Which of the random numbers of a text these are.
constexpr std::uint64_t kShiftByLast = 0, kShiftBySecondLast = 1, kTrain = 2, kTest = 3;

std::vector<std::uint32_t> weights(int symbols) {
  std::vector<std::uint32_t> weights;
  for (std::uint32_t k = 1; k <= static_cast<std::uint32_t>(symbols); ++k)
    weights.push_back(65536 / (k * k));
  return weights;
}

/// The chain in integers, so that no text depends on how a machine rounds.
class Chain {
 public:
  explicit Chain(const MarkovSettings& settings)
      : symbols_(static_cast<std::uint32_t>(settings.symbols)),
        shift_by_last_(permutation(settings, kShiftByLast)),
        shift_by_second_last_(settings.order == 2 ? permutation(settings, kShiftBySecondLast)
                                                  : std::vector<std::uint32_t>(symbols_, 0)) {
    std::uint32_t sum = 0;
    for (const std::uint32_t weight : weights(settings.symbols)) sums_.push_back(sum += weight);
  }

  /// Symbols of a stationary chain.
  std::vector<std::uint32_t> generate(std::uint32_t tokens, RandomStream random) const {
    std::vector<std::uint32_t> text(tokens);
    std::uint32_t second_last = random.below(symbols_), last = random.below(symbols_);
    for (std::uint32_t& symbol : text) {
      symbol = next(second_last, last, random);
      second_last = std::exchange(last, symbol);
    }
    return text;
  }

 private:
  static std::vector<std::uint32_t> permutation(const MarkovSettings& settings,
                                                std::uint64_t which) {
    return random_permutation(static_cast<std::uint32_t>(settings.symbols),
                              RandomStream(settings.generator_seed, Purpose::kMarkovText, which));
  }

  std::uint32_t next(std::uint32_t second_last, std::uint32_t last, RandomStream& random) const {
    const std::uint32_t drawn = random.below(sums_.back());
    const auto k =
        static_cast<std::uint32_t>(std::ranges::upper_bound(sums_, drawn) - sums_.begin());
    return (k + shift_by_last_[last] + shift_by_second_last_[second_last]) % symbols_;
  }

  std::uint32_t symbols_;
  std::vector<std::uint32_t> shift_by_last_, shift_by_second_last_;
  std::vector<std::uint32_t> sums_;  ///< of the weights up to each
};

TokenStream stream_of(const std::vector<std::uint32_t>& symbols, const Alphabet& alphabet,
                      std::string_view name) {
  const auto text = std::make_shared<std::vector<std::byte>>();
  text->reserve(symbols.size());
  for (const std::uint32_t symbol : symbols) text->push_back(std::byte{alphabet.bytes[symbol]});
  TokenStream stream;
  stream.append({.file = std::string(name), .tokens = *text, .bytes_per_token = 1, .memory = text});
  return stream;
}

MarkovSettings read_markov_settings(Options& options) {
  MarkovSettings settings;
  settings.symbols = options.integer<int>(
      "symbols", {.fallback = settings.symbols,
                  .min = 2,
                  .max = kSymbols.size(),
                  .meaning = "V: size of the vocabulary. No loss is below the entropy rate: 1.469 "
                             "nats a token for 32 symbols, of ln 32 = 3.466"});
  settings.order = options.integer<int>(
      "order",
      {.fallback = settings.order,
       .min = 1,
       .max = 2,
       .meaning = "tokens that decide what may follow them; with 2, a model that sees only "
                  "the latest one learns nothing"});
  settings.train_tokens = options.integer<std::uint32_t>(
      "train_tokens", {.fallback = settings.train_tokens,
                       .min = 2,
                       .max = 100'000'000,
                       .meaning = "tokens of the training text, a byte of memory each"});
  settings.test_tokens =
      options.integer<std::uint32_t>("test_tokens", {.fallback = settings.test_tokens,
                                                     .min = 2,
                                                     .max = 100'000'000,
                                                     .meaning = "tokens of the test text"});
  settings.generator_seed = options.integer<std::uint64_t>(
      "generator_seed", {.fallback = 1,
                         .meaning = "which text is generated; the seed of the run has no part in "
                                    "it, so all runs of a sweep see the same text"});
  return settings;
}

}  // namespace

TokenText generate_markov_text(const MarkovSettings& settings) {
  const Alphabet alphabet = markov_alphabet(settings.symbols);
  const Chain chain(settings);
  const auto text = [&](std::uint32_t tokens, std::uint64_t which, std::string_view name) {
    const RandomStream random(settings.generator_seed, Purpose::kMarkovText, which);
    return stream_of(chain.generate(tokens, random), alphabet, name);
  };
  return {.train = text(settings.train_tokens, kTrain, "the generated training text"),
          .test = text(settings.test_tokens, kTest, "the generated test text"),
          .vocabulary = settings.symbols,
          .bytes_per_token = 1,
          .alphabet = alphabet,
          .memory = std::size_t{settings.train_tokens} + settings.test_tokens};
}

double markov_entropy_rate(int symbols) {
  double sum = 0, entropy = 0;
  for (const std::uint32_t weight : weights(symbols)) sum += weight;
  for (const std::uint32_t weight : weights(symbols))
    entropy -= weight / sum * std::log(weight / sum);
  return entropy;
}

Alphabet markov_alphabet(int symbols) {
  check(0 < symbols && static_cast<std::size_t>(symbols) <= kSymbols.size(),
        "every symbol has a letter");
  const std::string_view letters = kSymbols.substr(0, static_cast<std::size_t>(symbols));
  return {.bytes = {letters.begin(), letters.end()}};
}

DatasetFactory make_markov_text(Options& options) {
  const MarkovSettings settings = read_markov_settings(options);
  const WindowSettings windows = read_windows(options);
  return windows_of([settings] { return generate_markov_text(settings); }, windows,
                    read_partition_of_windows(options, windows));
}

}  // namespace localbatch
