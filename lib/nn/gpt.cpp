#include <fmt/core.h>

#include <array>

#include "nn/decoder_options.h"

namespace localbatch {

namespace {

DecoderSettings gpt(int layers, int width, int heads, bool bias) {
  return {.layers = layers,
          .width = width,
          .heads = heads,
          .hidden = 4 * width,
          .centered_norm = true,
          .gate = Gate::kGelu,
          .bias = bias,
          .llama_names = false};
}

/// Sources: README and config/train_shakespeare_char.py of nanoGPT; Radford et al. 2019.
const std::array<DecoderSize, 3> kGptSizes{{
    {"nanogpt_cpu", gpt(4, 128, 4, false)},
    {"nanogpt_char", gpt(6, 384, 6, false)},
    {"gpt2_124m", gpt(12, 768, 12, true)},
}};

}  // namespace

ModelFactory make_gpt(Options& options) {
  DecoderSettings settings =
      read_decoder_size(options, kGptSizes,
                        "defaults of the other keys: nanoGPT's configurations for a CPU and for "
                        "characters, or GPT-2");
  read_decoder_shape(options, settings);
  if (settings.width % settings.heads != 0)
    options.fail("heads", fmt::format("found {}, allowed are divisors of width, {}", settings.heads,
                                      settings.width));
  settings.key_value_heads = settings.heads;
  settings.head_size = settings.width / settings.heads;
  settings.hidden =
      options.integer<int>("hidden", {.fallback = 4 * settings.width,
                                      .min = 1,
                                      .max = 1 << 20,
                                      .meaning = "features of the feed-forward part"});
  const int positions = options.integer<int>(
      "positions",
      {.fallback = 0,
       .min = 0,
       .max = 1 << 20,
       .meaning = "rows of the table of positions; 0: the data set's sequence_length"});
  settings.positions = positions > 0 ? positions : kPositionsOfData;
  settings.bias = options.flag(
      "bias", {.fallback = settings.bias, .meaning = "in linear layers and normalizations"});
  settings.gate = options.choice<Gate>(
      "gelu", {.fallback = settings.gate,
               .choices = {{"erf", Gate::kGelu}, {"tanh", Gate::kGeluTanh}},
               .meaning = "the exact function (nanoGPT), or OpenAI's approximation (llm.c)"});
  read_decoder_rest(options, settings);
  return decoder_factory(settings, "gpt");
}

}  // namespace localbatch
