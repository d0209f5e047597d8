#include "data/markov_text.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>

#include "data/windows.h"
#include "fixtures.h"

using namespace localbatch;

namespace {

/// The symbols of a text.
std::vector<std::int32_t> symbols_of(const TokenText& text, const TokenStream& stream) {
  std::vector<std::int32_t> bytes(stream.size());
  stream.read(0, bytes);
  std::string letters;
  for (const std::int32_t byte : bytes) letters.push_back(static_cast<char>(byte));
  return text.alphabet->encode(letters);
}

std::vector<std::int32_t> training_symbols(const MarkovSettings& settings) {
  const TokenText text = generate_markov_text(settings);
  return symbols_of(text, text.train);
}

/// Nats a symbol of what follows the `order` symbols before it, as the counts of a text have it.
double conditional_entropy(const std::vector<std::int32_t>& symbols, std::size_t order) {
  std::map<std::vector<std::int32_t>, std::map<std::int32_t, int>> counts;
  for (std::size_t i = order; i < symbols.size(); ++i)
    ++counts[{symbols.begin() + static_cast<std::ptrdiff_t>(i - order),
              symbols.begin() + static_cast<std::ptrdiff_t>(i)}][symbols[i]];
  double nats = 0;
  for (const auto& [context, next] : counts) {
    double all = 0;
    for (const auto& row : next) all += row.second;
    for (const auto& row : next) nats -= row.second * std::log(row.second / all);
  }
  return nats / static_cast<double>(symbols.size() - order);
}

}  // namespace

TEST_CASE("the entropy rate is that of the text, and nothing is known with fewer symbols") {
  for (const int symbols : {2, 8, 32}) {
    CAPTURE(symbols);
    const double rate = markov_entropy_rate(symbols), uniform = std::log(symbols);
    CHECK(rate < 0.75 * uniform);
    const auto first = training_symbols({.symbols = symbols, .train_tokens = 400'000});
    CHECK(conditional_entropy(first, 0) == doctest::Approx(uniform).epsilon(0.001));
    CHECK(conditional_entropy(first, 1) == doctest::Approx(rate).epsilon(0.005));
    if (symbols == 32) continue;  // too many pairs for a text of this length
    const auto second = training_symbols({.symbols = symbols, .order = 2, .train_tokens = 400'000});
    CHECK(conditional_entropy(second, 1) == doctest::Approx(uniform).epsilon(0.001));
    CHECK(conditional_entropy(second, 2) == doctest::Approx(rate).epsilon(0.005));
  }
  CHECK(markov_entropy_rate(32) == doctest::Approx(1.4690).epsilon(0.0001));  // as `describe` says
  CHECK(markov_entropy_rate(2) == doctest::Approx(-0.8 * std::log(0.8) - 0.2 * std::log(0.2)));
}

TEST_CASE("what follows a symbol has the published probabilities, turned by its permutation") {
  const auto text = training_symbols({.symbols = 4, .train_tokens = 200'000});
  std::vector<std::vector<double>> counts(4, std::vector<double>(4));
  std::vector<double> rows(4);
  for (std::size_t i = 1; i < text.size(); ++i) {
    ++counts[static_cast<std::size_t>(text[i - 1])][static_cast<std::size_t>(text[i])];
    ++rows[static_cast<std::size_t>(text[i - 1])];
  }
  const double weights[] = {65536, 16384, 7281, 4096}, sum = 93297;
  std::set<std::size_t> shifts;
  for (std::size_t row = 0; row < 4; ++row) {
    const auto top =
        static_cast<std::size_t>(std::ranges::max_element(counts[row]) - counts[row].begin());
    shifts.insert(top);
    for (std::size_t k = 0; k < 4; ++k)
      CHECK(std::abs(counts[row][(top + k) % 4] / rows[row] - weights[k] / sum) < 0.01);
  }
  CHECK(shifts.size() == 4);
}

TEST_CASE("generated texts are the same on every machine, and other ones for other seeds") {
  const TokenText text = generate_markov_text({.train_tokens = 1000, .test_tokens = 100});
  CHECK(scan_tokens(text) == 12689258706316146972U);  // checkpoints hold it
  CHECK(text.alphabet->decode(training_symbols({.train_tokens = 50})) ==
        "bb.esrcfynotgiljpmwjplde.etgjpleswjpu nou nqdcfxym");
  const auto symbols = training_symbols({.train_tokens = 1000});
  const auto longer = training_symbols({.train_tokens = 3000});
  CHECK(std::equal(symbols.begin(), symbols.end(), longer.begin()));
  CHECK(training_symbols({.train_tokens = 1000, .generator_seed = 2}) != symbols);
  CHECK(training_symbols({.order = 2, .train_tokens = 1000}) != symbols);
  const TokenText both = generate_markov_text({.train_tokens = 1000, .test_tokens = 1000});
  CHECK(symbols_of(both, both.test) != symbols_of(both, both.train));
}

TEST_CASE("symbols are letters that can be printed, each with one token") {
  for (const int symbols : {2, 32, 95}) {
    const Alphabet alphabet = markov_alphabet(symbols);
    REQUIRE(alphabet.bytes.size() == static_cast<std::size_t>(symbols));
    CHECK(std::set<std::uint8_t>(alphabet.bytes.begin(), alphabet.bytes.end()).size() ==
          alphabet.bytes.size());
    for (const std::uint8_t byte : alphabet.bytes) CHECK((0x20 <= byte && byte < 0x7f));
  }
}

TEST_CASE("the keys of the experiment file reach the generator of text") {
  const std::unique_ptr<Dataset> dataset = load({{"name", "generated_text"},
                                                 {"symbols", "8"},
                                                 {"order", "2"},
                                                 {"train_tokens", "100"},
                                                 {"test_tokens", "25"},
                                                 {"generator_seed", "5"},
                                                 {"sequence_length", "10"}});
  const TokenText expected = generate_markov_text(
      {.symbols = 8, .order = 2, .train_tokens = 100, .test_tokens = 25, .generator_seed = 5});
  CHECK(dataset->checksum() == scan_tokens(expected));
  CHECK(dataset->train_size() == 9);
  CHECK(dataset->test_size() == 3);
  CHECK(dataset->sample_shape().num_classes == 8);
  CHECK(dataset->bytes_per_target() == 1);
  CHECK(dataset->bytes() == 125);
  REQUIRE(dataset->alphabet() != nullptr);
  CHECK(dataset->alphabet()->decode(std::vector<std::int32_t>{0, 1, 7}) == "abh");

  const std::unique_ptr<Dataset> outline =
      dataset_factory({{"name", "generated_text"}, {"sequence_length", "64"}}).outline({});
  CHECK(outline->train_size() == 15'624);
  CHECK(outline->test_size() == 313);
  CHECK(outline->sample_shape().num_classes == 32);
}
