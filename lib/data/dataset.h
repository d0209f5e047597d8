#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/batch.h"
#include "core/options.h"
#include "data/images.h"
#include "data/partition.h"
#include "data/sampler.h"

namespace localbatch {

struct Alphabet;

/// The place of one sample in the memory of a batch.
struct SamplePlace {
  std::span<std::byte> input;       ///< SampleShape::input_bytes()
  std::span<std::int32_t> targets;  ///< SampleShape::targets()
};

/// What the averaged model is evaluated on.
enum class EvaluatedSet { kTest, kValidation };

/// A training set and a test set, as a network sees them, and perhaps samples that were held out of
/// the training set to validate with (data/held_out.h). Samples are asked for one by one, by
/// several threads at once; what a training sample looks like is a function of the data set, the
/// seed and the draw alone, so it depends neither on placement nor on batch sizes.
class Dataset {
 public:
  virtual ~Dataset() = default;

  virtual std::size_t train_size() const = 0;
  virtual std::size_t test_size() const = 0;

  virtual SampleShape sample_shape() const = 0;

  /// The plural that people count samples in: "images".
  virtual std::string_view unit() const = 0;

  /// The classes of the training samples, for partitions by class; none where samples have no
  /// classes. They live as long as the data set.
  virtual std::optional<SampleClasses> classes() const = 0;

  /// Writes a training sample, changed at random as the data set's augmentation says.
  virtual void write_training_sample(const Draw& draw, std::uint64_t seed,
                                     const SamplePlace& to) const = 0;

  /// Writes a test sample. Returns false where there is none because it is damaged and to be left
  /// out; the place then holds anything.
  virtual bool write_test_sample(std::size_t index, const SamplePlace& to) const = 0;

  /// Writes a training sample as write_test_sample() does a test sample, without augmentation.
  /// Asked only of data sets whose samples are apart.
  virtual bool write_plain_training_sample(std::size_t index, const SamplePlace& to) const = 0;

  /// Holds samples out, fewer than the training set has. Returns false where any of them may be
  /// taken, as they are apart; where they are cut out of one whole and overlap, its end is taken.
  /// Throws an InputError where training would see samples that are held out.
  virtual bool hold_out_end(std::size_t /*samples*/) { return false; }

  virtual std::size_t validation_size() const { return 0; }

  /// Writes a sample that was held out, as write_test_sample() does.
  virtual bool write_validation_sample(std::size_t index, const SamplePlace& to) const;

  std::size_t size_of(EvaluatedSet set) const {
    return set == EvaluatedSet::kTest ? test_size() : validation_size();
  }
  bool write_evaluated_sample(EvaluatedSet set, std::size_t index, const SamplePlace& to) const {
    return set == EvaluatedSet::kTest ? write_test_sample(index, to)
                                      : write_validation_sample(index, to);
  }

  /// Tells data sets apart: a checkpoint goes on only with the data that its run began with.
  virtual std::uint64_t checksum() const = 0;

  /// The memory that the data set takes.
  virtual std::size_t bytes() const = 0;

  /// The bytes of text that a target stands for, on average; 0 where that is unknown, or no text.
  virtual double bytes_per_target() const { return 0; }

  /// The text of tokens; null where tokens are not bytes, or samples have none.
  virtual const Alphabet* alphabet() const { return nullptr; }

  /// What has gone wrong since this was last called without ending the run, a line each.
  virtual std::vector<std::string> take_warnings() { return {}; }

 protected:
  Dataset() = default;
  Dataset(const Dataset&) = default;
  Dataset(Dataset&&) = default;
  Dataset& operator=(const Dataset&) = default;
  Dataset& operator=(Dataset&&) = default;
};

/// A data set as an experiment file describes it.
struct DatasetFactory {
  /// Reads the files, which is the slow and fallible half of making a data set: the keys of an
  /// experiment file are checked before anything is loaded. Throws an InputError that names a
  /// missing, truncated or wrong file, or an augmentation that these samples do not have.
  std::function<std::unique_ptr<Dataset>(const Augmentation&)> load;

  Partition partition;  ///< how workers share the training set

  /// The same data set for those who ask for its sizes alone, without its samples; empty where
  /// these have to be read in any case. Throws as load() does for files of another size.
  std::function<std::unique_ptr<Dataset>(const Augmentation&)> outline = {};

  std::size_t held_out = 0;  ///< training samples that a run validates with
};

/// cifar10, cifar100, mnist, fashion_mnist, imagenet, synthetic; text, tokens, generated_text.
std::span<const PartRow<DatasetFactory>> dataset_table();

/// Memory for the samples of a batch, one behind the other.
class BatchMemory {
 public:
  BatchMemory(const SampleShape& shape, int max_samples)
      : input_bytes_(shape.input_bytes()),
        num_targets_(shape.targets()),
        inputs_(static_cast<std::size_t>(max_samples) * input_bytes_),
        targets_(static_cast<std::size_t>(max_samples) * num_targets_) {}

  /// Where a sample is written.
  SamplePlace place(std::size_t sample) {
    return {.input = inputs_.span().subspan(sample * input_bytes_, input_bytes_),
            .targets = std::span(targets_).subspan(sample * num_targets_, num_targets_)};
  }

  /// Copies a sample to another place.
  void copy(std::size_t from, std::size_t to) {
    const SamplePlace source = place(from), target = place(to);
    std::ranges::copy(source.input, target.input.begin());
    std::ranges::copy(source.targets, target.targets.begin());
  }

  /// The first samples, as a network sees them.
  Batch batch(std::size_t samples) const {
    return {.samples = static_cast<int>(samples),
            .inputs = inputs_.span().first(samples * input_bytes_),
            .targets = std::span(targets_).first(samples * num_targets_)};
  }

 private:
  std::size_t input_bytes_, num_targets_;
  AlignedBuffer<std::byte> inputs_;
  std::vector<std::int32_t> targets_;
};

}  // namespace localbatch
