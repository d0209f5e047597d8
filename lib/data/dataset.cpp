#include "data/dataset.h"

#include "core/error.h"
#include "data/cifar.h"
#include "data/idx.h"
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
    {"cifar10", "CIFAR-10: 50000 + 10000 colour images of 32 x 32 pixels, 10 classes",
     make_with_partition<make_cifar10>},
    {"cifar100", "CIFAR-100: 50000 + 10000 colour images of 32 x 32 pixels, 100 fine classes",
     make_with_partition<make_cifar100>},
    {"mnist", "MNIST: 60000 + 10000 grey images of 28 x 28 pixels, 10 digits",
     make_with_partition<make_mnist>},
    {"fashion_mnist", "Fashion-MNIST: 60000 + 10000 grey images of 28 x 28 pixels, 10 classes",
     make_with_partition<make_fashion_mnist>},
    {"synthetic",
     "generated gratings: colour images of 32 x 32 pixels, 10 classes, no files needed",
     make_with_partition<make_synthetic>},
};

}  // namespace

std::span<const std::uint8_t> Dataset::image(const ImageSet& set, std::size_t index) const {
  check(index < set.size(), "an image of the set is asked for");
  return std::span(set.pixels).subspan(index * shape.size(), shape.size());
}

std::span<const PartRow<DatasetLoader>> dataset_table() { return kTable; }

}  // namespace localbatch
