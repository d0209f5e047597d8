#include <fmt/core.h>

#include <array>

#include "nn/decoder_options.h"

namespace localbatch {

namespace {

DecoderSettings llama(int layers, int width, int heads, int key_value_heads, int hidden,
                      bool tied_head, DecoderInitialization initialization) {
  return {.layers = layers,
          .width = width,
          .heads = heads,
          .key_value_heads = key_value_heads,
          .head_size = 0,
          .hidden = hidden,
          .tied_head = tied_head,
          .initialization = initialization};
}

constexpr bool kTied = true, kUntied = false;
constexpr auto kGpt2 = DecoderInitialization::kGpt2, kLitgpt = DecoderInitialization::kLitgpt;

/// Sources: README and export.py of llama2.c (stories), litgpt/config.py of LitGPT (the last two).
const std::array<DecoderSize, 8> kLlamaSizes{{
    {"small", llama(4, 128, 4, 2, 352, kTied, kGpt2)},
    {"medium", llama(6, 256, 4, 2, 704, kTied, kGpt2)},
    {"stories260k", llama(5, 64, 8, 4, 172, kTied, kGpt2)},
    {"stories15m", llama(6, 288, 6, 6, 768, kTied, kGpt2)},
    {"stories42m", llama(8, 512, 8, 8, 1376, kTied, kGpt2)},
    {"stories110m", llama(12, 768, 12, 12, 2048, kTied, kGpt2)},
    {"micro_llama_300m", llama(12, 1024, 16, 4, 5632, kUntied, kLitgpt)},
    {"tiny_llama_1.1b", llama(22, 2048, 32, 4, 5632, kUntied, kLitgpt)},
}};

/// Two thirds of 4 width, rounded up to a multiple.
int default_hidden(int width, int multiple) {
  return (8 * width / 3 + multiple - 1) / multiple * multiple;
}

void read_heads(Options& options, DecoderSettings& settings) {
  settings.key_value_heads = options.integer<int>(
      "key_value_heads", {.fallback = settings.key_value_heads,
                          .min = 1,
                          .max = 1024,
                          .meaning = "query heads share keys and values evenly among so many"});
  if (settings.heads % settings.key_value_heads != 0)
    options.fail("key_value_heads", fmt::format("found {}, allowed are divisors of heads, {}",
                                                settings.key_value_heads, settings.heads));
  settings.head_size = options.integer<int>(
      "head_size", {.fallback = 0, .min = 0, .max = 1024, .meaning = "0: width / heads"});
  if (settings.head_size == 0) {
    if (settings.width % settings.heads != 0)
      options.fail("heads",
                   fmt::format("found {}, allowed without head_size are divisors of width, "
                               "{}",
                               settings.heads, settings.width));
    settings.head_size = settings.width / settings.heads;
  }
  if (settings.head_size % 2 != 0)
    options.fail("heads", fmt::format("found heads of {} values, expected an even number: rotary "
                                      "positions turn pairs",
                                      settings.head_size));
}

void read_hidden(Options& options, DecoderSettings& settings, int width_of_size) {
  const int hidden = options.integer<int>(
      "hidden",
      {.fallback = settings.width == width_of_size ? settings.hidden : 0,
       .min = 0,
       .max = 1 << 20,
       .meaning = "features of the feed-forward part; 0: 8/3 width, rounded up to multiple_of"});
  const int multiple = options.integer<int>(
      "multiple_of",
      {.fallback = 32, .min = 1, .max = 65536, .meaning = "to which 8/3 width is rounded up"});
  settings.hidden = hidden > 0 ? hidden : default_hidden(settings.width, multiple);
}

}  // namespace

ModelFactory make_llama(Options& options) {
  DecoderSettings settings = read_decoder_size(
      options, kLlamaSizes,
      "defaults of the other keys: our own of 0.8 and 4.5 million parameters with bytes, those of "
      "llama2.c, or those of LitGPT");
  const int width_of_size = settings.width;
  read_decoder_shape(options, settings);
  read_heads(options, settings);
  read_hidden(options, settings, width_of_size);
  settings.rotary_base = options.number(
      "rope_base", {.fallback = settings.rotary_base,
                    .min = 1,
                    .max = 1e9,
                    .meaning = "of the angles of rotary positions, position base^(-2j/head_size)"});
  read_decoder_rest(options, settings);
  return decoder_factory(settings, "llama");
}

}  // namespace localbatch
