#include "data/dataset.h"

#include "core/checksum.h"
#include "core/error.h"
#include "data/cifar.h"
#include "data/idx.h"
#include "data/image_folder.h"
#include "data/synthetic.h"

namespace localbatch {

namespace {

/// Every data set has the key `partition`, with those of the partition that it names.
template <DatasetLoader (*make)(Options&)>
DatasetLoader make_with_partition(Options& options) {
  const DatasetLoader load = make(options);
  const Partition partition = read_partition(options);
  return [load, partition] {
    Dataset dataset = load();
    dataset.partition = partition;
    return dataset;
  };
}

constexpr PartRow<DatasetLoader> kTable[] = {
    {.name = "cifar10",
     .summary = "CIFAR-10: 50000 + 10000 colour images of 32 x 32 pixels, 10 classes",
     .make = make_with_partition<make_cifar10>,
     .source = "Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html"},
    {.name = "cifar100",
     .summary = "CIFAR-100: 50000 + 10000 colour images of 32 x 32 pixels, 100 fine classes",
     .make = make_with_partition<make_cifar100>,
     .source = "Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html"},
    {.name = "mnist",
     .summary = "MNIST: 60000 + 10000 grey images of 28 x 28 pixels, 10 digits",
     .make = make_with_partition<make_mnist>,
     .source = "LeCun et al. 1998, http://yann.lecun.com/exdb/mnist"},
    {.name = "fashion_mnist",
     .summary = "Fashion-MNIST: 60000 + 10000 grey images of 28 x 28 pixels, 10 classes",
     .make = make_with_partition<make_fashion_mnist>,
     .source = "Xiao et al. 2017, https://github.com/zalandoresearch/fashion-mnist"},
    {.name = "imagenet",
     .summary = "ImageNet, or other JPEG files in class folders: train/<class>/*.JPEG and "
                "val/<class>/*.JPEG, decoded when they are needed",
     .make = make_with_partition<make_imagenet>,
     .source = "Russakovsky et al. 2015, https://www.image-net.org; crops and normalization as in "
               "torchvision's training reference"},
    {.name = "synthetic",
     .summary = "generated gratings: colour images of 32 x 32 pixels, 10 classes, no files needed",
     .make = make_with_partition<make_synthetic>,
     .source = "ours: images are computed from generator_seed and their index"},
};

}  // namespace

std::span<const std::uint8_t> Dataset::image(const ImageSet& set, std::size_t index) const {
  check(index < set.size() && !set.files, "an image in memory is asked for");
  return std::span(set.pixels).subspan(index * shape.size(), shape.size());
}

std::size_t bytes_of(const ImageSet& set) {
  return set.pixels.size() + set.labels.size() * sizeof(Label) +
         (set.files ? set.files->list().bytes() : 0);
}

std::uint64_t checksum_of(const Dataset& dataset) {
  std::uint64_t all = 0;
  const auto add = [&all](std::uint64_t part) {
    const std::uint64_t both[] = {all, part};
    all = checksum(std::as_bytes(std::span(both)));
  };
  for (const ImageSet* const set : {&dataset.train, &dataset.test}) {
    if (set->files) {
      add(set->files->content());
      continue;
    }
    // A byte each, as the files of all sets in memory have them.
    const std::vector<std::uint8_t> labels(set->labels.begin(), set->labels.end());
    add(checksum(std::as_bytes(std::span(set->pixels))));
    add(checksum(std::as_bytes(std::span(labels))));
  }
  return all;
}

std::span<const PartRow<DatasetLoader>> dataset_table() { return kTable; }

}  // namespace localbatch
