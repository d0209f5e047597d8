#include "data/dataset.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "fixtures.h"

using namespace localbatch;

TEST_CASE("every data set declares its keys without a file and without loading anything") {
  for (const PartRow<DatasetLoader>& row : dataset_table()) {
    CAPTURE(row.name);
    Options options = Options::describing();
    row.make(options);
    const std::vector<Declaration> declared = options.declarations();
    const auto partition = std::ranges::find(declared, "partition", &Declaration::key);
    REQUIRE(partition != declared.end());
    CHECK(partition->fallback == "iid");
    const auto root = std::ranges::find(declared, "root", &Declaration::key);
    CHECK((root == declared.end()) == (row.name == "synthetic"));
    if (root != declared.end()) {
      CHECK(root->required);
      CHECK(contains(root->meaning, "folder that holds"));
    }
    for (const Declaration& key : declared) CHECK_FALSE(key.meaning.empty());
  }
}

TEST_CASE("the table holds the six data sets") {
  CHECK(part_names(dataset_table()) == std::vector<std::string>{"cifar10", "cifar100", "mnist",
                                                                "fashion_mnist", "imagenet",
                                                                "synthetic"});
}

TEST_CASE("a data set knows how workers are to share it") {
  const auto shares = [](const std::vector<std::pair<std::string, std::string>>& keys) {
    const Dataset dataset = load(keys);
    return dataset.partition(dataset.train.labels, dataset.num_classes, 3, 1);
  };
  const std::pair<std::string, std::string> name{"name", "synthetic"}, size{"train_samples", "60"};
  CHECK(shares({name, size}).empty());
  CHECK(shares({name, size, {"partition", "by_class"}}).size() == 3);
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
  const Dataset dataset{.shape = {.channels = 2, .height = 1, .width = 2},
                        .num_classes = 3,
                        .mean = {0, 0},
                        .stddev = {1, 1},
                        .train = {.pixels = {0, 1, 2, 3, 4, 5, 6, 7}, .labels = {0, 2}},
                        .test = {.pixels = {9, 8, 7, 6}, .labels = {1}}};
  const auto second = dataset.image(dataset.train, 1);
  CHECK(std::vector<int>(second.begin(), second.end()) == std::vector<int>{4, 5, 6, 7});
  const auto test = dataset.image(dataset.test, 0);
  CHECK(std::vector<int>(test.begin(), test.end()) == std::vector<int>{9, 8, 7, 6});
}
