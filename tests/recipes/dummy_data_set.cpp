#include "data/dummy_data_set.h"

#include <cstring>

namespace localbatch {

namespace {

constexpr int kTokens = 26;
constexpr int kLength = 8;

/// Windows of the alphabet, over and over: every letter has one that follows it.
class DummyDataSet final : public Dataset {
 public:
  std::size_t train_size() const override { return 64; }
  std::size_t test_size() const override { return 16; }
  SampleShape sample_shape() const override {
    return {.input = TokenWindow{kLength}, .num_classes = kTokens};
  }
  std::string_view unit() const override { return "windows"; }
  std::optional<SampleClasses> classes() const override { return {}; }

  void write_training_sample(const Draw& draw, std::uint64_t /*seed*/,
                             const SamplePlace& to) const override {
    write(draw.sample, to);
  }
  bool write_test_sample(std::size_t index, const SamplePlace& to) const override {
    write(index, to);
    return true;
  }
  bool write_plain_training_sample(std::size_t index, const SamplePlace& to) const override {
    write(index, to);
    return true;
  }

  std::uint64_t checksum() const override { return 1; }
  std::size_t bytes() const override { return 0; }

 private:
  static void write(std::size_t first, const SamplePlace& to) {
    for (std::size_t i = 0; i < kLength; ++i) {
      const auto token = static_cast<std::int32_t>((first + i) % kTokens);
      std::memcpy(&to.input[i * sizeof token], &token, sizeof token);
      to.targets[i] = (token + 1) % kTokens;
    }
  }
};

}  // namespace

DatasetFactory make_dummy_data_set(Options& options) {
  return {.load = [](const Augmentation&) { return std::make_unique<DummyDataSet>(); },
          .partition = read_partition(options)};
}

}  // namespace localbatch
