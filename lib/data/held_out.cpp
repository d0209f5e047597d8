#include "data/held_out.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/random.h"

namespace localbatch {

namespace {

/// A data set of samples that are apart, without those that are held out.
class WithoutHeldOut final : public Dataset {
 public:
  WithoutHeldOut(std::unique_ptr<Dataset> whole, std::size_t samples) : whole_(std::move(whole)) {
    kept_ = random_permutation(static_cast<std::uint32_t>(whole_->train_size()),
                               RandomStream(0, Purpose::kValidation));
    held_out_.assign(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(samples));
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(samples));
    std::ranges::sort(held_out_);
    std::ranges::sort(kept_);
    if (const std::optional<SampleClasses> classes = whole_->classes()) {
      labels_.reserve(kept_.size());
      for (const std::uint32_t sample : kept_) labels_.push_back(classes->labels[sample]);
    }
  }

  std::size_t train_size() const override { return kept_.size(); }
  std::size_t test_size() const override { return whole_->test_size(); }
  std::size_t validation_size() const override { return held_out_.size(); }
  SampleShape sample_shape() const override { return whole_->sample_shape(); }
  std::string_view unit() const override { return whole_->unit(); }
  std::optional<SampleClasses> classes() const override {
    const std::optional<SampleClasses> classes = whole_->classes();
    if (!classes) return {};
    return SampleClasses{.labels = labels_, .count = classes->count};
  }

  void write_training_sample(const Draw& draw, std::uint64_t seed,
                             const SamplePlace& to) const override {
    whole_->write_training_sample({.epoch = draw.epoch, .sample = kept_[draw.sample]}, seed, to);
  }
  bool write_test_sample(std::size_t index, const SamplePlace& to) const override {
    return whole_->write_test_sample(index, to);
  }
  bool write_plain_training_sample(std::size_t index, const SamplePlace& to) const override {
    return whole_->write_plain_training_sample(kept_[index], to);
  }
  bool write_validation_sample(std::size_t index, const SamplePlace& to) const override {
    return whole_->write_plain_training_sample(held_out_[index], to);
  }

  /// Of the data and of what is held out, so that a checkpoint goes on with the same split only.
  std::uint64_t checksum() const override {
    const std::uint64_t both[] = {whole_->checksum(),
                                  localbatch::checksum(std::as_bytes(std::span(held_out_)))};
    return localbatch::checksum(std::as_bytes(std::span(both)));
  }
  /// An outline has no labels, but stands for a data set that has.
  std::size_t bytes() const override {
    return whole_->bytes() + (kept_.size() + held_out_.size()) * sizeof(std::uint32_t) +
           kept_.size() * sizeof(Label);
  }
  double bytes_per_target() const override { return whole_->bytes_per_target(); }
  const Alphabet* alphabet() const override { return whole_->alphabet(); }
  std::vector<std::string> take_warnings() override { return whole_->take_warnings(); }

 private:
  std::unique_ptr<Dataset> whole_;
  std::vector<std::uint32_t> kept_, held_out_;  ///< indices in the whole training set, ascending
  std::vector<Label> labels_;                   ///< of those kept; empty without classes
};

}  // namespace

std::unique_ptr<Dataset> hold_out(std::unique_ptr<Dataset> whole, std::size_t samples) {
  const std::size_t all = whole->train_size();
  if (samples >= all)
    fail_input(
        "dataset.validation: found {}, allowed are at most {} of the {} training {}, as one has to "
        "be left",
        samples, all - 1, all, whole->unit());
  if (whole->hold_out_end(samples)) return whole;
  return std::make_unique<WithoutHeldOut>(std::move(whole), samples);
}

}  // namespace localbatch
