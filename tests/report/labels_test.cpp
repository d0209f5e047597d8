#include "report/labels.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "experiment/experiment_file.h"

namespace localbatch {

namespace {

Settings settings(const std::string& yaml) { return settings_of(parse_yaml(yaml, "test.yaml")); }

std::string schedule(const std::string& controller) {
  return schedule_label(
      settings("batch_size: {initial: 32}\nbatch_size_controller: {" + controller + "}\n"));
}

}  // namespace

TEST_CASE("settings are keys with their places, and a list is one value") {
  const Settings found = settings("a: {b: 1, c: [1, 2]}\nd: [{e: 3}]\nf: []\n");
  CHECK(found.value("a.b") == "1");
  CHECK(found.value("a.c") == "[1, 2]");
  CHECK(found.value("d") == "[{e: 3}]");
  CHECK(found.value("f") == "[]");
  CHECK(found.find("a") == nullptr);
  CHECK(found.has_part("a"));
}

TEST_CASE("settings agree when what both know is the same, wherever data lie") {
  const Settings one = settings("experiment: x\nseed: 1\ndataset: {root: /a, name: c}\n");
  CHECK(agree(one, settings("seed: 1\ndataset: {root: /b}\nlater: 3\n")));
  CHECK_FALSE(agree(one, settings("seed: 2\n")));
  CHECK(differing_keys({one, settings("experiment: y\nseed: 2\nlater: 3\n")}) ==
        std::vector<std::string>{"seed"});
}

TEST_CASE("rows are called after what decides the batch size") {
  CHECK(schedule("name: fixed") == "constant 32");
  CHECK(schedule("name: norm_test, eta: 0.8") == "norm test, eta 0.8");
  CHECK(schedule("name: inner_product_test, theta: 0.9, nu: 0") == "inner-product test, theta 0.9");
  CHECK(schedule("name: inner_product_test, theta: 0.2, nu: 0.8") ==
        "augmented inner-product test, theta 0.2, nu 0.8");
  CHECK(schedule("name: gradient_noise_scale") == "gradient noise scale");
}

TEST_CASE("groups are called after H or its rule") {
  CHECK(sync_interval_label(settings("sync_interval: {name: constant, H: 8}\n")) == "H = 8");
  CHECK(sync_interval_label(settings("sync_interval: {name: post_local, H: 8}\n")) == "post local");
}

TEST_CASE("coordinates give a row its name, without those of H and the seed") {
  const Settings resolved = settings("workers: 2\nbatch_size_controller: {eta: 0.8}\n");
  CHECK(coordinates_label({{"schedule", "norm test 0.8"}, {"sync_interval.H", "8"}, {"seed", "1"}},
                          resolved) == "norm test 0.8");
  CHECK(coordinates_label({{"batch_size_controller.eta", "0.8"}, {"workers", "2"}}, resolved) ==
        "eta 0.8, workers 2");
}

TEST_CASE("labels that several rows have are told apart by what differs") {
  CHECK(disambiguated({"a", "a", "b"}, {settings("x: {peak: 1}\nz: 3\n"),
                                        settings("x: {peak: 2}\n"), settings("x: {peak: 9}\n")}) ==
        std::vector<std::string>{"a, peak 1", "a, peak 2", "b"});
}

TEST_CASE("as few settings as tell labels apart are added, the one that tells most first") {
  CHECK(disambiguated({"a", "a", "a"},
                      {settings("p: 1\nq: 1\nr: 5\n"), settings("p: 2\nq: 2\nr: 6\n"),
                       settings("p: 2\nq: 3\nr: 7\n")}) ==
        std::vector<std::string>{"a, q 1", "a, q 2", "a, q 3"});
  CHECK(disambiguated({"a", "a", "a", "a"},
                      {settings("p: 1\nq: 1\nr: 1\n"), settings("p: 1\nq: 2\nr: 1\n"),
                       settings("p: 2\nq: 1\nr: 2\n"), settings("p: 2\nq: 2\nr: 2\n")}) ==
        std::vector<std::string>{"a, p 1, q 1", "a, p 1, q 2", "a, p 2, q 1", "a, p 2, q 2"});
}

TEST_CASE("keys whose last words are the same, or are in the label, are added in full") {
  const auto both = [](int x, int y) {
    return settings(fmt::format("x: {{p: {}}}\ny: {{p: {}}}\nz: 1\n", x, y));
  };
  CHECK(disambiguated({"a", "a", "a", "a"}, {both(1, 1), both(1, 2), both(2, 1), both(2, 2)}) ==
        std::vector<std::string>{"a, x.p 1, y.p 1", "a, x.p 1, y.p 2", "a, x.p 2, y.p 1",
                                 "a, x.p 2, y.p 2"});
  CHECK(disambiguated({"a, p 1", "a, p 1", "p", "p"},
                      {both(1, 1), both(1, 2), both(1, 1), both(2, 1)}) ==
        std::vector<std::string>{"a, p 1, y.p 1", "a, p 1, y.p 2", "p, p 1", "p, p 2"});
}

TEST_CASE("numbers in names are compared as numbers") {
  CHECK(comes_before("constant 32", "constant 128"));
  CHECK_FALSE(comes_before("constant 128", "constant 32"));
  CHECK(comes_before("H = 8", "post local"));
  CHECK_FALSE(comes_before("H = 8", "H = 8"));
  CHECK(comes_before("H = 8", "H = 8, x"));
}

}  // namespace localbatch
