#include "data/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numbers>

#include "core/random.h"

namespace localbatch {

namespace {

constexpr int kSide = 32;
constexpr int kPatch = 20;  ///< side of the square in which a grating shows
constexpr std::size_t kPlane = std::size_t{kSide} * kSide;  ///< pixels of a channel
constexpr ImageShape kSyntheticShape{.channels = 3, .height = kSide, .width = kSide};
constexpr int kSyntheticClasses = 10;

/// Integer tables, so that no image depends on how a machine rounds.
struct Tables {
  std::array<int, 256> sine{};                  ///< sine of i/256 turns, in 1/127
  std::array<int, kPatch> window{};             ///< a raised cosine over the patch, in 1/128
  std::array<int, kSyntheticClasses> step_x{};  ///< phase from column to column, in 1/65536 turns
  std::array<int, kSyntheticClasses> step_y{};  ///< phase from row to row, in 1/65536 turns

  Tables() {
    constexpr double kTurn = 2 * std::numbers::pi;
    for (std::size_t i = 0; i < sine.size(); ++i)
      sine[i] = static_cast<int>(std::lround(127 * std::sin(kTurn * static_cast<double>(i) / 256)));
    for (std::size_t i = 0; i < window.size(); ++i)
      window[i] = static_cast<int>(
          std::lround(64 - 64 * std::cos(kTurn * (static_cast<double>(i) + 0.5) / kPatch)));
    constexpr double kWavelengths[] = {3.6, 6.0};  // pixels
    for (std::size_t c = 0; c < step_x.size(); ++c) {
      const double angle = kTurn / 16 * static_cast<double>(c % 5);
      const double frequency = 65536 / kWavelengths[c / 5];
      step_x[c] = static_cast<int>(std::lround(frequency * std::cos(angle)));
      step_y[c] = static_cast<int>(std::lround(frequency * std::sin(angle)));
    }
  }
};

/// Uniform in {low, ..., high}.
int between(RandomStream& random, int low, int high) {
  return low + static_cast<int>(random.below(static_cast<std::uint32_t>(high - low + 1)));
}

using Plane = std::array<int, kPlane>;

/// Draws the patch with the texture of a class, in 1/127, zero around it.
Plane draw_grating(const Tables& tables, std::size_t label, RandomStream& random) {
  const int left = between(random, 0, kSide - kPatch), top = between(random, 0, kSide - kPatch);
  const int lean = between(random, 0, 1) == 0 ? 1 : -1;
  const int phase = between(random, 0, 65535);
  const int step_x = lean * tables.step_x[label], step_y = tables.step_y[label];
  Plane plane{};
  for (int y = 0; y < kPatch; ++y)
    for (int x = 0; x < kPatch; ++x) {
      const int turn = ((phase + y * step_y + x * step_x) >> 8) & 255;
      plane[(top + y) * kSide + left + x] =
          (tables.sine[turn] * tables.window[x] * tables.window[y]) >> 14;
    }
  return plane;
}

void draw_channel(const Plane& grating, int contrast, int noise, RandomStream& random,
                  std::span<std::uint8_t> pixels) {
  const int sign = between(random, 0, 1) == 0 ? 1 : -1;
  const int strength = sign * contrast * between(random, 64, 256);
  const int base = between(random, 88, 168);
  const int slope_x = between(random, -384, 384), slope_y = between(random, -384, 384);
  std::array<std::uint8_t, kPlane> grain{};
  for (std::size_t i = 0; i < grain.size(); i += 4) {
    const std::uint32_t word = random.next_u32();
    for (std::size_t k = 0; k < 4; ++k) grain[i + k] = static_cast<std::uint8_t>(word >> 8 * k);
  }
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x) {
      const int i = y * kSide + x;
      const int value = base + ((slope_x * (x - kSide / 2) + slope_y * (y - kSide / 2)) >> 8) +
                        ((grating[i] * strength) >> 15) + ((noise * (2 * grain[i] - 255)) >> 8);
      pixels[i] = static_cast<std::uint8_t>(std::clamp(value, 0, 255));
    }
}

ImageSet generate_set(const Tables& tables, std::uint32_t samples, Purpose purpose, int noise,
                      std::uint64_t seed) {
  ImageSet set;
  set.pixels.resize(samples * kSyntheticShape.size());
  set.labels.resize(samples);
  for (std::uint32_t i = 0; i < samples; ++i) {
    RandomStream random(seed, purpose, i);
    const std::size_t label = i % kSyntheticClasses;
    const Plane grating = draw_grating(tables, label, random);
    const int contrast = between(random, 40, 112);
    for (std::size_t c = 0; c < 3; ++c)
      draw_channel(grating, contrast, noise, random,
                   std::span(set.pixels).subspan(i * kSyntheticShape.size() + c * kPlane, kPlane));
    set.labels[i] = static_cast<std::uint8_t>(label);
  }
  return set;
}

/// Mean and stddev measured at the default noise.
ImageFormat image_format() {
  return {.shape = kSyntheticShape,
          .num_classes = kSyntheticClasses,
          .mean = {0.497F, 0.497F, 0.497F},
          .stddev = {0.1403F, 0.1403F, 0.1403F}};
}

}  // namespace

ResidentImages generate_synthetic(const SyntheticSettings& settings,
                                  const Augmentation& augmentation) {
  const Tables tables;
  const auto [train_samples, test_samples, noise, seed] = settings;
  return {image_format(),
          generate_set(tables, train_samples, Purpose::kSyntheticTrain, noise, seed),
          generate_set(tables, test_samples, Purpose::kSyntheticTest, noise, seed), augmentation};
}

DatasetFactory make_synthetic(Options& options) {
  SyntheticSettings settings;
  settings.train_samples = options.integer<std::uint32_t>(
      "train_samples", {.fallback = settings.train_samples,
                        .min = 1,
                        .max = 1'000'000,
                        .meaning = "images in the training set, 3072 bytes of memory each"});
  settings.test_samples =
      options.integer<std::uint32_t>("test_samples", {.fallback = settings.test_samples,
                                                      .min = 1,
                                                      .max = 1'000'000,
                                                      .meaning = "images in the test set"});
  settings.noise = options.integer<int>(
      "noise",
      {.fallback = settings.noise,
       .min = 0,
       .max = 255,
       .meaning = "noise of a pixel, uniform in plus or minus this many of 255 grey levels; "
                  "more makes the task harder"});
  settings.generator_seed = options.integer<std::uint64_t>(
      "generator_seed",
      {.fallback = 1,
       .meaning = "which data set is generated; the seed of the run has no part in "
                  "it, so all runs of a sweep see the same images"});
  return {.load =
              [settings](const Augmentation& augmentation) {
                return std::make_unique<ResidentImages>(generate_synthetic(settings, augmentation));
              },
          .partition = read_partition(options),
          .outline =
              [settings](const Augmentation& augmentation) {
                return outline_of_images(
                    image_format(), {settings.train_samples, settings.test_samples}, augmentation);
              }};
}

}  // namespace localbatch
