#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

namespace localbatch {

/// The shape of one image, stored channel by channel, row by row (C, H, W).
struct ImageShape {
  int channels = 0;
  int height = 0;
  int width = 0;

  std::size_t size() const {
    return static_cast<std::size_t>(channels) * static_cast<std::size_t>(height) *
           static_cast<std::size_t>(width);
  }
  friend bool operator==(const ImageShape&, const ImageShape&) = default;
};

/// The class of an image, from 0. Two bytes: ImageNet has 1000 classes.
using Label = std::uint16_t;

/// A stretch of text as so many tokens.
struct TokenWindow {
  int length = 0;

  friend bool operator==(const TokenWindow&, const TokenWindow&) = default;
};

/// What one sample of a data set looks like to a network: the agreement that lets either side be
/// exchanged. The input of an image is f32 [channel][row][column], as the data set's augmentation
/// leaves it, and its target is its class. The input of a window of tokens is int32 [token], and
/// its targets are the tokens that follow each of them.
struct SampleShape {
  std::variant<ImageShape, TokenWindow> input;
  int num_classes = 0;  ///< targets are 0 .. num_classes - 1

  /// The shape of the input where samples are images; null where they are not.
  const ImageShape* image() const { return std::get_if<ImageShape>(&input); }
  /// The window of tokens where samples are texts; null where they are not.
  const TokenWindow* window() const { return std::get_if<TokenWindow>(&input); }

  std::size_t input_bytes() const {
    if (const ImageShape* const shape = image()) return shape->size() * sizeof(float);
    return targets() * sizeof(std::int32_t);
  }
  std::size_t targets() const {
    return window() == nullptr ? 1 : static_cast<std::size_t>(window()->length);
  }

  friend bool operator==(const SampleShape&, const SampleShape&) = default;
};

/// A view of the samples that a network sees at once, one behind the other. The inputs are typed by
/// the SampleShape and aligned for that type.
struct Batch {
  int samples = 0;
  std::span<const std::byte> inputs;      ///< samples * input_bytes()
  std::span<const std::int32_t> targets;  ///< samples * targets()
};

/// What a batch adds to the evaluation of a model. The counts of several batches add up exactly.
struct Evaluation {
  double loss_sum = 0;       ///< cross entropy in nats, summed over targets
  std::int64_t correct = 0;  ///< targets that the model predicts
  std::int64_t count = 0;    ///< targets

  Evaluation& operator+=(const Evaluation& other) {
    loss_sum += other.loss_sum;
    correct += other.correct;
    count += other.count;
    return *this;
  }
};

}  // namespace localbatch
