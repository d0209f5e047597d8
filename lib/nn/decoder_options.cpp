#include "nn/decoder_options.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/error.h"

namespace localbatch {

DecoderSettings read_decoder_size(Options& options, std::span<const DecoderSize> sizes,
                                  std::string_view meaning) {
  ChoiceKey key{.fallback = std::string(sizes.front().name), .choices = {}, .meaning = meaning};
  for (const DecoderSize& size : sizes) key.choices.emplace_back(size.name);
  const std::string chosen = options.choice("size", key);
  return std::ranges::find(sizes, chosen, &DecoderSize::name)->settings;
}

void read_decoder_shape(Options& options, DecoderSettings& settings) {
  settings.layers = options.integer<int>(
      "layers",
      {.fallback = settings.layers, .min = 1, .max = 1000, .meaning = "number of blocks"});
  settings.width = options.integer<int>(
      "width",
      {.fallback = settings.width, .min = 1, .max = 65536, .meaning = "of the residual stream"});
  settings.heads = options.integer<int>(
      "heads",
      {.fallback = settings.heads, .min = 1, .max = 1024, .meaning = "heads of attention"});
}

void read_decoder_rest(Options& options, DecoderSettings& settings) {
  settings.epsilon = options.number(
      "epsilon",
      {.fallback = settings.epsilon, .min = 1e-12, .max = 1, .meaning = "of the normalizations"});
  settings.tied_head = options.flag(
      "tied_head",
      {.fallback = settings.tied_head, .meaning = "the head's weights are those of the embedding"});
  settings.initialization = options.choice<DecoderInitialization>(
      "initialization",
      {.fallback = settings.initialization,
       .choices = {{"gpt2", DecoderInitialization::kGpt2},
                   {"litgpt", DecoderInitialization::kLitgpt}},
       .meaning = "normal starting weights of L blocks of width d. gpt2: deviation 0.02, into the "
                  "stream 0.02/sqrt(2 L); litgpt: variance 2/(5 d), into the stream deviation "
                  "1/(sqrt(d) L)"});
}

ModelFactory decoder_factory(const DecoderSettings& settings, std::string_view name) {
  return {.make = [settings, name = std::string(name)](
                      const SampleShape& sample) -> std::unique_ptr<const Model> {
            const auto* const window = std::get_if<TokenWindow>(&sample.input);
            if (window == nullptr)
              fail_input(
                  "model: found '{}', which is for tokens; the samples of this data set are "
                  "images",
                  name);
            DecoderSettings mine = settings;
            mine.vocabulary = sample.num_classes;
            mine.length = window->length;
            if (mine.positions == kPositionsOfData) mine.positions = mine.length;
            if (mine.positions > 0 && mine.length > mine.positions)
              fail_input(
                  "model.positions: found {}, expected at least {}, the sequence_length of "
                  "the data set",
                  mine.positions, mine.length);
            return std::make_unique<const DecoderModel>(mine);
          },
          .has_bfloat16 = true};
}

}  // namespace localbatch
