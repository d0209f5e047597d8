#include "report/generate_text.h"

#include <fmt/core.h>

#include <charconv>
#include <cstdint>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "data/alphabet.h"
#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "nn/model.h"
#include "nn/token_predictor.h"
#include "report/finished_run.h"
#include "run/run_files.h"

namespace localbatch {

namespace {

void require_finished(const FinishedRun& run) {
  if (run.status == RunStatus::kFinished) return;
  if (run.status == RunStatus::kDiverged)
    fail_input("{}: its training has diverged, expected a run that has finished", run.folder);
  const std::string failure = run.failure.empty() ? "" : fmt::format(" ({})", run.failure);
  fail_input("{}: has not ended, {} % of its samples are done{}; expected a run that has finished",
             run.folder, run.percent, failure);
}

/// Another text could have as many characters, and other ones.
void check_characters(const FinishedRun& run, const Experiment& experiment,
                      const Alphabet* alphabet) {
  const std::string recorded = manifest_fact(run, "data");
  if (recorded.size() != 16 || alphabet == nullptr || alphabet->has_all_bytes()) return;
  const std::string here = fmt::format("{:016x}", load_task(experiment)->data_checksum());
  if (here != recorded)
    fail_input(
        "{}: its tokens are the characters of its text, and that is another one now: found the "
        "checksum {}, expected {}, as in manifest.json",
        run.folder, here, recorded);
}

/// What the run trains. For that its data are opened, and looked at only where their tokens follow
/// from what they hold.
NetworkFacts network_of(const FinishedRun& run) {
  const Node settings = read_experiment_file(std::filesystem::path(run.folder) / "experiment.yaml");
  const Experiment experiment = read_experiment(Options(settings));
  const TaskFacts facts = load_task(experiment, TaskUse::kOutline)->facts();
  if (!facts.network || facts.network->model->sample().image() != nullptr)
    fail_input("{}: trains no model of a text, expected one, such as llama or gpt", run.folder);
  check_characters(run, experiment, facts.network->alphabet.get());
  return *facts.network;
}

std::vector<std::int32_t> numbers_of(const std::string& prompt, int vocabulary) {
  std::vector<std::int32_t> tokens;
  std::istringstream words(prompt);
  for (std::string word; words >> word;) {
    const char* const end = word.data() + word.size();
    std::int32_t token = -1;
    const auto [rest, error] = std::from_chars(word.data(), end, token);
    if (error != std::errc() || rest != end || token < 0 || token >= vocabulary)
      fail_input(
          "word {}: found '{}', expected the number of a token, 0 .. {}, as tokens of this run are "
          "not bytes",
          tokens.size() + 1, word, vocabulary - 1);
    tokens.push_back(token);
  }
  return tokens;
}

std::vector<std::int32_t> prompt_of(const TextRequest& request, const Alphabet* alphabet,
                                    int vocabulary) {
  if (!request.prompt) {
    const bool has_newline = alphabet != nullptr && token_table(*alphabet)['\n'] != kNoToken;
    return has_newline ? alphabet->encode("\n") : std::vector<std::int32_t>{0};
  }
  try {
    std::vector<std::int32_t> tokens = alphabet != nullptr
                                           ? alphabet->encode(*request.prompt)
                                           : numbers_of(*request.prompt, vocabulary);
    if (tokens.empty()) fail_input("found nothing, expected at least one token");
    return tokens;
  } catch (const InputError& error) {
    fail_input("generate: --prompt: {}", error.what());
  }
}

}  // namespace

std::string generate_text(const TextRequest& request) {
  const FinishedRun run = only_run_in(request.run);
  require_finished(run);
  const NetworkFacts network = network_of(run);
  const Alphabet* const alphabet = network.alphabet.get();
  const SampleShape shape = network.model->sample();
  std::vector<std::int32_t> prompt = prompt_of(request, alphabet, shape.num_classes);

  const std::vector<float> parameters =
      read_final_model(run.folder, network.model->parameter_tensors());
  const auto predictor = network.model->make_predictor(network.execution, parameters);
  check(predictor != nullptr, "a model of tokens predicts them");
  const std::vector<std::int32_t> tokens =
      continue_tokens(*predictor, shape, std::move(prompt), request.continuation);
  return alphabet != nullptr ? alphabet->decode(tokens)
                             : join(std::vector<int>(tokens.begin(), tokens.end()), " ");
}

}  // namespace localbatch
