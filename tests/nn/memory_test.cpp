#include <doctest/doctest.h>
#include <malloc.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "nn/decoder_reference.h"
#include "nn/test_models.h"

using namespace localbatch;

namespace {

/// Bytes of this process that are in memory.
double resident_bytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word)
    if (word == "VmRSS:") {
      double kibibytes = 0;
      status >> kibibytes;
      return kibibytes * 1024;
    }
  return 0;
}

}  // namespace

TEST_CASE("a network takes as much memory as predicted") {
  // Large arrays go back to the system when they are freed, in whatever order that happens.
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  const ImageModel model = resnet20();
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    if (precision == Precision::kBfloat16 && !supports_bfloat16()) {
      MESSAGE("bf16 is skipped: this CPU does not compute with it");
      continue;
    }
    CAPTURE(static_cast<int>(precision));
    // Sizes that do not fill the 2 MiB that are allocated at a time.
    const int images = precision == Precision::kFloat32 ? 72 : 150;
    const ExecutionOptions options{.max_samples = images, .precision = precision};
    const TestBatch batch(model.input(), 10, static_cast<std::size_t>(images), 1);
    const double predicted = static_cast<double>(model.predicted_bytes(options));
    CHECK(predicted > 1e8);

    auto network = std::make_unique<ImageNetwork>(model, options);
    TestWorker worker(*network, 1);
    // oneDNN compiles its kernels once and keeps them, and so does the allocator what was freed.
    worker.compute_gradient(*network, batch);
    network.reset();
    malloc_trim(0);
    const double before = resident_bytes();
    network = std::make_unique<ImageNetwork>(model, options);
    for (int step = 0; step < 2; ++step) worker.compute_gradient(*network, batch);
    const double taken = resident_bytes() - before;
    CAPTURE(predicted);
    CAPTURE(taken);
    CHECK(std::abs(taken / predicted - 1) < 0.1);
  }
}

namespace {

/// Steps without and with norms of single sequences, in every precision that this CPU has.
void check_decoder_memory(const DecoderSettings& settings, int sequences) {
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  const DecoderModel model(settings);
  const TestTokens data(model.settings(), sequences, 1);
  std::vector<float> parameters(model.parameter_count()), gradient(parameters.size());
  std::vector<double> norms(static_cast<std::size_t>(sequences));
  model.initialize_parameters(1, parameters);
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    if (precision == Precision::kBfloat16 && !supports_bfloat16()) continue;
    CAPTURE(static_cast<int>(precision));
    const ExecutionOptions options{.max_samples = sequences, .precision = precision};
    const double predicted = static_cast<double>(model.predicted_bytes(options));
    CHECK(predicted > 1e8);
    const auto take_steps = [&](Network& network) {
      for (int step = 0; step < 2; ++step) {
        network.load(parameters, {});
        network.train(data.batch(), 1, gradient, GradientUse::kReplace);
      }
      network.sample_gradients(data.batch(), gradient, GradientUse::kReplace,
                               {.squared_norms = norms});
    };
    auto network = model.make_network(options);
    take_steps(*network);
    network.reset();
    malloc_trim(0);
    const double before = resident_bytes();
    network = model.make_network(options);
    take_steps(*network);
    const double taken = resident_bytes() - before;
    CAPTURE(predicted);
    CAPTURE(taken);
    CHECK(std::abs(taken / predicted - 1) < 0.1);
  }
}

}  // namespace

TEST_CASE("a decoder takes as much memory as predicted") {
  check_decoder_memory({.layers = 4,
                        .width = 256,
                        .heads = 4,
                        .key_value_heads = 2,
                        .head_size = 64,
                        .hidden = 704,
                        .vocabulary = 3000,
                        .length = 100},
                       60);
}

TEST_CASE("a decoder of long sequences and many tokens takes what is predicted, norms included") {
  check_decoder_memory({.layers = 1,
                        .width = 64,
                        .heads = 2,
                        .key_value_heads = 1,
                        .head_size = 32,
                        .hidden = 128,
                        .vocabulary = 40000,
                        .length = 600},
                       1);
}

TEST_CASE("predicted memory grows by an image's share, and by a thread's") {
  const auto predict = [model = resnet20()](int images, int threads, Precision precision) {
    return model.predicted_bytes(
        {.max_samples = images, .threads = threads, .precision = precision});
  };
  const std::size_t one = predict(64, 1, Precision::kFloat32);
  const std::size_t two = predict(64, 2, Precision::kFloat32);
  CHECK(two > one);
  CHECK(predict(64, 5, Precision::kFloat32) - two == 3 * (two - one));
  // Values and diffs of an image (execution_plan_test.cpp), and batch norm's two sums in double per
  // channel: seven a stage, projections and stem included.
  const std::size_t image = 4 * (303178 + 40960) + 16 * (7 * 16 + 7 * 32 + 7 * 64);
  // Arrays are rounded up to huge pages.
  const auto grown = static_cast<double>(predict(2048, 1, Precision::kFloat32) -
                                         predict(1024, 1, Precision::kFloat32));
  CHECK(std::abs(grown / (1024.0 * static_cast<double>(image)) - 1) < 0.05);
  if (supports_bfloat16()) CHECK(predict(64, 1, Precision::kBfloat16) < one);
}
