#include <doctest/doctest.h>

#include <cmath>

#include "data/markov_text.h"
#include "nn/execution.h"
#include "run/run_fixtures.h"

namespace localbatch {

namespace {

/// The example of a decoder with local AdamW and a norm test, as it stands in the repository.
RunResult run_example(const ScratchFolder& scratch, const std::vector<std::string>& settings) {
  return run_alone(
      {.file = std::filesystem::path(LOCALBATCH_SOURCE_DIR) / "experiments/methods/gpt.yaml",
       .settings = settings,
       .output = scratch.path() / "out",
       .force = true,
       .command_line = {}});
}

}  // namespace

TEST_CASE("a decoder's loss on a Markov text comes down to the entropy rate, in f32 and in bf16") {
  const ScratchFolder scratch;
  const double entropy_rate = markov_entropy_rate(32);
  std::vector<double> losses;
  for (const std::string precision : {"f32", "bf16"}) {
    if (precision == "bf16" && !supports_bfloat16()) {
      MESSAGE("bf16 is skipped: this CPU does not compute with it");
      continue;
    }
    CAPTURE(precision);
    const RunResult result =
        run_example(scratch, {"precision=" + precision, "dataset.test_tokens=100000"});
    CHECK(result.outcome == Outcome::kFinished);
    const TestResult& test = result.last_evaluation.test;
    MESSAGE(precision << ": " << test.loss << " nats, the entropy rate is " << entropy_rate);
    // The test text is one draw: its entropy is the rate within a fraction of a percent.
    CHECK(test.loss > 0.995 * entropy_rate);
    CHECK(test.loss < 1.02 * entropy_rate);
    losses.push_back(test.loss);
  }
  if (losses.size() == 2) CHECK(std::abs(losses[1] - losses[0]) < 0.02);
}

TEST_CASE("an evaluation of text has tokens, perplexity and bits per byte that belong together") {
  const ScratchFolder scratch;
  const RunResult result = run_example(
      scratch, {"max_samples=200", "dataset.test_tokens=1000", "evaluation.every_samples=100"});
  const auto columns = read_csv(result.folder / "evaluations.csv");
  const auto last = [&](const char* name) { return std::stod(columns.at(name).back()); };
  CHECK(last("test_tokens") == 999);  // the first one follows nothing
  CHECK(last("test_perplexity") == doctest::Approx(std::exp(last("test_loss"))));
  CHECK(last("test_bits_per_byte") == doctest::Approx(last("test_loss") / std::log(2)));
  CHECK(columns.at("test_images").back().empty());
}

}  // namespace localbatch
