#include "data/dataset.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "fixtures.h"

using namespace localbatch;

TEST_CASE("every data set declares its keys without a file and without loading anything") {
  for (const PartRow<DatasetFactory>& row : dataset_table()) {
    CAPTURE(row.name);
    Options options = Options::describing();
    row.make(options);
    const std::vector<Declaration> declared = options.declarations();
    const auto partition = std::ranges::find(declared, "partition", &Declaration::key);
    REQUIRE(partition != declared.end());
    CHECK(partition->fallback == "iid");
    const auto root = std::ranges::find(declared, "root", &Declaration::key);
    const bool is_generated = row.name == "synthetic" || row.name == "generated_text";
    CHECK((root == declared.end()) == is_generated);
    if (root != declared.end()) {
      CHECK(root->required);
      CHECK(contains(root->meaning, "folder that holds"));
    }
    for (const Declaration& key : declared) CHECK_FALSE(key.meaning.empty());
  }
}

TEST_CASE("the table holds the nine data sets") {
  CHECK(part_names(dataset_table()) ==
        std::vector<std::string>{"cifar10", "cifar100", "mnist", "fashion_mnist", "imagenet",
                                 "synthetic", "text", "tokens", "generated_text"});
}

TEST_CASE("a data set knows how workers are to share it") {
  const auto shares = [](const Keys& keys) {
    const DatasetFactory factory = dataset_factory(keys);
    const std::unique_ptr<Dataset> dataset = factory.load({});
    return factory.partition({.count = dataset->train_size(), .classes = dataset->classes()}, 3, 1);
  };
  const std::pair<std::string, std::string> name{"name", "synthetic"}, size{"train_samples", "60"};
  CHECK_FALSE(shares({name, size}).has_value());
  CHECK(shares({name, size, {"partition", "by_class"}})->size() == 3);
  CHECK(contains(input_error([&] {
                   load({name, {"partition", "by_clas"}});
                 }),
                 "partition: found 'by_clas', allowed is iid | by_class | dirichlet | shards (did "
                 "you mean 'by_class'?)"));
  CHECK(contains(input_error([&] { load({name, {"partition", "dirichlet"}}); }), "alpha: missing"));
}

TEST_CASE("a root that is no folder is named together with what was expected in it") {
  const ScratchFolder folder;
  const std::string missing = (folder.path() / "nowhere").string();
  const std::string file = folder.write("file", {1, 2, 3}).string();
  const std::pair<std::string, std::string> expected[] = {{"cifar10", "data_batch_1.bin"},
                                                          {"cifar100", "train.bin"},
                                                          {"mnist", "train-images-idx3-ubyte"},
                                                          {"fashion_mnist", "t10k-labels"},
                                                          {"imagenet", "train/<class>/*.JPEG"}};
  for (const auto& row : expected) {
    const std::string &name = row.first, &files = row.second;
    CAPTURE(name);
    const std::string text = input_error([&] { load({{"name", name}, {"root", missing}}); });
    CHECK(contains(text, "'" + missing + "': no such folder"));
    CHECK(contains(text, files));
    CHECK(contains(input_error([&] {
                     load({{"name", name}, {"root", file}});
                   }),
                   "'" + file + "': not a folder"));
  }
}

TEST_CASE("an image is the bytes at its place") {
  const ImageSet train{.pixels = {0, 1, 2, 3, 4, 5, 6, 7}, .labels = {0, 2}};
  const ImageSet test{.pixels = {9, 8, 7, 6}, .labels = {1}};
  const ResidentImages dataset({.shape = {.channels = 2, .height = 1, .width = 2},
                                .num_classes = 3,
                                .mean = {0, 0},
                                .stddev = {1, 1}},
                               train, test, {});
  const auto second = dataset.image(dataset.train(), 1);
  CHECK(std::vector<int>(second.begin(), second.end()) == std::vector<int>{4, 5, 6, 7});
  const auto first = dataset.image(dataset.test(), 0);
  CHECK(std::vector<int>(first.begin(), first.end()) == std::vector<int>{9, 8, 7, 6});
}

TEST_CASE("what a network is told of a data set fits the samples that it is given") {
  const std::unique_ptr<Dataset> dataset =
      load({{"name", "synthetic"}, {"train_samples", "30"}, {"test_samples", "20"}});
  CHECK(dataset->train_size() == 30);
  CHECK(dataset->test_size() == 20);
  CHECK(dataset->unit() == "images");
  CHECK(dataset->bytes() == 50 * (3072 + sizeof(Label)));
  const SampleShape shape = dataset->sample_shape();
  CHECK(shape.input_bytes() == 3072 * sizeof(float));
  REQUIRE(dataset->classes());
  CHECK(dataset->classes()->count == shape.num_classes);

  BatchMemory memory(shape, 7);
  for (std::uint32_t i = 0; i < 7; ++i)
    dataset->write_training_sample({.epoch = 3, .sample = i + 2}, 5, memory.place(i));
  const Batch batch = memory.batch(7);
  CHECK(batch.samples == 7);
  CHECK(batch.inputs.size() == 7 * shape.input_bytes());
  for (std::uint32_t i = 0; i < 7; ++i) {
    CHECK(batch.targets[i] == dataset->classes()->labels[i + 2]);
    const std::vector<float> image = training_image(*dataset, 5, {.epoch = 3, .sample = i + 2});
    CHECK(std::ranges::equal(std::as_bytes(std::span(image)),
                             batch.inputs.subspan(i * shape.input_bytes(), shape.input_bytes())));
  }
}

TEST_CASE("a checksum tells sets apart by any image or label of either set") {
  const ImageSet set{.pixels = {0, 1, 2, 3}, .labels = {0, 1}};
  const auto checksum_of = [](const ImageSet& train, const ImageSet& test) {
    return ResidentImages({.shape = {.channels = 1, .height = 1, .width = 2},
                           .num_classes = 2,
                           .mean = {0},
                           .stddev = {1}},
                          train, test, {})
        .checksum();
  };
  const std::uint64_t before = checksum_of(set, set);
  CHECK(checksum_of(set, set) == before);
  ImageSet other_pixel = set, other_label = set;
  other_pixel.pixels[3] = 4;
  other_label.labels[0] = 1;
  for (const ImageSet& other : {other_pixel, other_label}) {
    CHECK(checksum_of(other, set) != before);
    CHECK(checksum_of(set, other) != before);
    CHECK(checksum_of(set, other) != checksum_of(other, set));
  }
}

TEST_CASE("an outline has the sizes of the data set, and what is wrong with its files is told") {
  const Keys keys{{"name", "synthetic"}, {"train_samples", "60"}, {"test_samples", "7"}};
  const std::unique_ptr<Dataset> whole = dataset_factory(keys).load({}),
                                 outline = dataset_factory(keys).outline({});
  CHECK(outline->train_size() == whole->train_size());
  CHECK(outline->test_size() == whole->test_size());
  CHECK(outline->sample_shape() == whole->sample_shape());
  CHECK(outline->bytes() == whole->bytes());
  CHECK(outline->unit() == whole->unit());
  Augmentation views;
  views.random_resized_crop = true;
  CHECK(
      contains(input_error([&] { dataset_factory(keys).outline(views); }), "random_resized_crop"));

  const ScratchFolder folder;
  const Keys cifar{{"name", "cifar10"}, {"root", folder.path().string()}};
  CHECK(contains(input_error([&] { dataset_factory(cifar).outline({}); }), "no such file"));
  folder.write("data_batch_1.bin", {1, 2, 3});
  CHECK(contains(input_error([&] { dataset_factory(cifar).outline({}); }),
                 "data_batch_1.bin: found 3 bytes, expected 30730000"));
}
