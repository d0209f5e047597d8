#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "nn/decoder.h"
#include "nn/network.h"

namespace localbatch {

/// The mean loss of every sequence by the plain formulas, token by token in double: the yardstick
/// for the engine of decoders, with which it shares no code but the places of the parameters.
std::vector<double> reference_losses(const DecoderModel& model, std::span<const double> parameters,
                                     std::span<const std::int32_t> tokens,
                                     std::span<const std::int32_t> targets);

/// Small decoders of every kind, by name.
struct TestDecoder {
  std::string name;
  DecoderSettings settings;
};
std::vector<TestDecoder> test_decoders(int length);

/// Tokens and targets of some sequences, a function of the seed.
struct TestTokens {
  TestTokens(const DecoderSettings& settings, int count, std::uint64_t seed);

  Batch batch() const;
  /// One of the sequences alone.
  Batch batch(int sequence) const;

  int length, sequences;
  std::vector<std::int32_t> tokens, targets;
};

/// Parameters far from their starting values, so that no part of the model is nearly linear.
std::vector<float> test_parameters(const DecoderModel& model, std::uint64_t seed);

}  // namespace localbatch
