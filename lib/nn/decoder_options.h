#pragma once

#include "core/options.h"
#include "nn/decoder.h"

namespace localbatch {

// Keys that all decoders have. A named size gives the defaults of all others.

/// A published model, or one of our own.
struct DecoderSize {
  std::string_view name;
  DecoderSettings settings;
};

/// Reads `size`: settings without vocabulary and length, which the data set gives.
DecoderSettings read_decoder_size(Options& options, std::span<const DecoderSize> sizes,
                                  std::string_view meaning);

/// Reads `layers`, `width` and `heads`.
void read_decoder_shape(Options& options, DecoderSettings& settings);

/// Reads `epsilon`, `tied_head` and `initialization`.
void read_decoder_rest(Options& options, DecoderSettings& settings);

/// In place of DecoderSettings::positions: as many as the sequences of the data set are long.
constexpr int kPositionsOfData = -1;

/// Makes the model for the samples of a data set, which have to be tokens.
ModelFactory decoder_factory(const DecoderSettings& settings, std::string_view name);

}  // namespace localbatch
