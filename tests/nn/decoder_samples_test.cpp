#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "core/vector_math.h"
#include "decoder_reference.h"

using namespace localbatch;

namespace {

/// Compares the sums of sample_gradients() with those of gradients of one sequence after the other.
/// Returns the largest relative error.
double error_of_sums(const DecoderModel& model, const TestTokens& data, Precision precision,
                     bool with_gradient, bool with_products) {
  const std::vector<float> parameters = test_parameters(model, 3);
  const auto network = model.make_network({.max_samples = data.sequences, .precision = precision});
  network->load(parameters, {});
  const auto sequences = static_cast<std::size_t>(data.sequences);
  std::vector<float> direction(parameters.size()), mean(parameters.size()),
      gradient(with_gradient ? parameters.size() : 0);
  RandomStream random(4, Purpose::kTest, 5);
  for (float& value : direction) value = random.normal();
  std::vector<double> norms(sequences), products(with_products ? sequences : 0);
  network->sample_gradients(data.batch(), gradient, GradientUse::kReplace,
                            {.squared_norms = norms,
                             .inner_products = products,
                             .direction = with_products ? direction : std::vector<float>()});
  double error = 0;
  std::vector<float> single(parameters.size());
  for (std::size_t i = 0; i < sequences; ++i) {
    network->train(data.batch(static_cast<int>(i)), 1, single, GradientUse::kReplace);
    const double norm = squared_norm(single);
    error = std::max(error, std::abs(norms[i] - norm) / norm);
    if (with_products)
      error = std::max(error, std::abs(products[i] - inner_product(single, direction)) /
                                  std::sqrt(norm * squared_norm(direction)));
    for (std::size_t j = 0; j < mean.size(); ++j) mean[j] += single[j];
  }
  if (with_gradient)
    error = std::max(error, std::sqrt(squared_distance(gradient, mean) / squared_norm(mean)));
  return error;
}

std::size_t elements_of_embedding(const DecoderSettings& settings) {
  return static_cast<std::size_t>(settings.vocabulary) * static_cast<std::size_t>(settings.width);
}

}  // namespace

TEST_CASE("norms and inner products of single sequences are those of one pass for each") {
  for (const int length : {1, 2, 17, 256})
    for (const TestDecoder& decoder : test_decoders(length)) {
      const DecoderSettings& settings = decoder.settings;
      const DecoderModel model(settings);
      const TestTokens data(settings, 3, 6);
      for (const bool gradient : {false, true})
        for (const bool products : {false, true}) {
          CAPTURE(length);
          CAPTURE(decoder.name);
          CAPTURE(gradient);
          CAPTURE(products);
          CHECK(error_of_sums(model, data, Precision::kFloat32, gradient, products) < 1e-5);
        }
    }
}

TEST_CASE("norms of sequences hold where all tokens are equal") {
  for (const TestDecoder& decoder : test_decoders(17)) {
    const DecoderSettings& settings = decoder.settings;
    CAPTURE(decoder.name);
    const DecoderModel model(settings);
    TestTokens data(settings, 3, 6);
    std::ranges::fill(data.tokens, 4);
    CHECK(error_of_sums(model, data, Precision::kFloat32, true, true) < 1e-5);
    CHECK(error_of_sums(model, data, Precision::kFloat32, false, false) < 1e-5);
  }
}

TEST_CASE("in a tied model the gradients of embedding and head meet in every norm") {
  DecoderSettings settings = test_decoders(17).front().settings;
  REQUIRE(settings.tied_head);
  const DecoderModel tied(settings);
  settings.tied_head = false;
  const DecoderModel untied(settings);
  std::vector<float> parameters = test_parameters(tied, 3);
  const auto size = elements_of_embedding(settings);
  const auto network = tied.make_network({.max_samples = 3});
  network->load(parameters, {});
  const TestTokens data(settings, 3, 6);
  std::vector<double> norms(3);
  network->sample_gradients(data.batch(), {}, GradientUse::kReplace, {.squared_norms = norms});

  // The same numbers in a model that keeps both apart.
  std::vector<float> twice = parameters;
  twice.insert(twice.end(), parameters.begin(),
               parameters.begin() + static_cast<std::ptrdiff_t>(size));
  const auto other = untied.make_network({.max_samples = 3});
  other->load(twice, {});
  std::vector<float> gradient(twice.size());
  double largest = 0;
  for (int i = 0; i < 3; ++i) {
    other->train(data.batch(i), 1, gradient, GradientUse::kReplace);
    const std::span<const float> all = gradient;
    const double apart = squared_norm(all);
    const double together = apart + 2 * inner_product(all.first(size), all.last(size));
    const double norm = norms[static_cast<std::size_t>(i)];
    CHECK(norm == doctest::Approx(together).epsilon(1e-5));
    largest = std::max(largest, std::abs(apart / norm - 1));
  }
  MESSAGE("without the inner product norms are wrong by up to " << 100 * largest << " %");
  CHECK(largest > 1e-3);
}

TEST_CASE("norms of sequences are exact for bf16 products too") {
  if (!supports_bfloat16()) {
    MESSAGE("bf16 is skipped: this CPU does not compute with it");
    return;
  }
  for (const TestDecoder& decoder : test_decoders(40)) {
    const DecoderSettings& settings = decoder.settings;
    CAPTURE(decoder.name);
    const DecoderModel model(settings);
    const TestTokens data(settings, 3, 6);
    CHECK(error_of_sums(model, data, Precision::kBfloat16, true, true) < 2e-3);
    CHECK(error_of_sums(model, data, Precision::kBfloat16, false, false) < 2e-3);
  }
}

TEST_CASE("weights of sequences scale their gradients in the sum") {
  const DecoderSettings settings = test_decoders(6).front().settings;
  const DecoderModel model(settings);
  const std::vector<float> parameters = test_parameters(model, 3);
  const TestTokens data(settings, 3, 6);
  const auto network = model.make_network({.max_samples = 3});
  network->load(parameters, {});
  const std::vector<double> weights{0.5, -2, 3};
  std::vector<float> sum(parameters.size()), wanted(parameters.size());
  network->sample_gradients(data.batch(), sum, GradientUse::kReplace, {.weights = weights});
  for (int i = 0; i < 3; ++i)
    network->train(data.batch(i), weights[static_cast<std::size_t>(i)], wanted,
                   i == 0 ? GradientUse::kReplace : GradientUse::kAdd);
  CHECK(squared_distance(sum, wanted) < 1e-11 * squared_norm(wanted));
}
