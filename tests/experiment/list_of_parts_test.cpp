#include <doctest/doctest.h>

#include "experiment/experiment_file.h"
#include "experiment/fixtures.h"

// Lists of mappings in an experiment file, from the text to the resolved text.

namespace localbatch {

namespace {

/// What the settings of a file become that has a list of controllers, each with a list of its own.
std::vector<Declaration> read_controllers(const Node& file) {
  Options options(file);
  options.integer("seed", {.fallback = 1, .meaning = ""});
  for (Options& controller : options.parts("controllers", "")) {
    controller.text("note", {.fallback = "", .meaning = ""});
    make_part(batch_size_controller_table(), controller, "fixed", "");
    for (Options& inner : controller.parts("inner", ""))
      inner.text("note", {.fallback = "", .meaning = ""});
  }
  options.part("rest", "").text("note", {.fallback = "", .meaning = ""});
  options.finish();
  return options.declarations();
}

std::string resolved_controllers(const std::string& text) {
  return resolved_yaml(read_controllers(parse_yaml(text, "f.yaml")));
}

/// The same with `setting` applied to an empty file.
std::string controllers_error(const std::string& setting) {
  return input_error([&] {
    Node file;
    apply_setting(file, setting);
    read_controllers(file);
  });
}

}  // namespace

TEST_CASE("a list of parts is written with all its keys, and read again is the same text") {
  const std::string resolved = resolved_controllers(
      "controllers: [{name: norm_test}, {name: inner_product_test, theta: 0.5, note: a}, {}]\n");
  CHECK(resolved ==
        "seed: 1\n"
        "controllers:\n"
        "  - name: norm_test\n"
        "    eta: 0.8\n"
        "    inner: []\n"
        "  - note: a\n"
        "    name: inner_product_test\n"
        "    theta: 0.5\n"
        "    nu: 0\n"
        "    inner: []\n"
        "  - name: fixed\n"
        "    inner: []\n"
        "rest: {}\n");
  CHECK(resolved_controllers(resolved) == resolved);
  CHECK(resolved_controllers("controllers:\n- name: cabs\n- {inner: [{note: b}, {}]}\n") ==
        "seed: 1\n"
        "controllers:\n"
        "  - name: cabs\n"
        "    scale: 1\n"
        "    inner: []\n"
        "  - name: fixed\n"
        "    inner:\n"
        "      - note: b\n"
        "      - {}\n"
        "rest: {}\n");
  const std::string empty = "seed: 1\ncontrollers: []\nrest: {}\n";
  CHECK(resolved_controllers("controllers: []\n") == empty);
  CHECK(resolved_controllers("{}") == empty);
  CHECK(resolved_controllers(empty) == empty);
}

TEST_CASE("mistakes in a list of parts point at their place in the file") {
  const auto error = [](const std::string& text) {
    return input_error([&] { resolved_controllers(text); });
  };
  CHECK(error("controllers:\n  - name: norm_test\n  - name: norm_test\n    theta: 1\n") ==
        "f.yaml:4:5: controllers[1].theta: unknown key, allowed is note | name | eta | inner (did "
        "you mean 'eta'?)");
  CHECK(error("controllers: [{name: cabs},  {scale: 0}]") ==
        "f.yaml:1:31: controllers[1].scale: unknown key, allowed is note | name | inner");
  CHECK(error("controllers: [{name: cabs, scale: 0}]") ==
        "f.yaml:1:35: controllers[0].scale: found 0, allowed is 1e-06 .. 1000000");
  CHECK(error("controllers: [{name: cabs}, cabs]") ==
        "f.yaml:1:29: controllers[1]: found 'cabs', expected a mapping such as {name: ...}");
  CHECK(error("controllers: {name: cabs}") ==
        "f.yaml:1:14: controllers: found a mapping, expected a list of mappings such as "
        "[{name: ...}]");
  CHECK(error("controllers: [{inner: [{}, {nte: a}]}]") ==
        "f.yaml:1:29: controllers[0].inner[1].nte: unknown key, allowed is note (did you mean "
        "'note'?)");
}

TEST_CASE("a setting gives a list of parts, and its mistakes have no lines") {
  Node file = parse_yaml("seed: 2\ncontrollers: [{name: cabs}, {}]\n", "f.yaml");
  apply_setting(file, "controllers=[{name: norm_test, eta: 0.5}]");
  CHECK(resolved_yaml(read_controllers(file)) ==
        "seed: 2\n"
        "controllers:\n"
        "  - name: norm_test\n"
        "    eta: 0.5\n"
        "    inner: []\n"
        "rest: {}\n");
  apply_setting(file, "controllers=[]");
  CHECK(resolved_yaml(read_controllers(file)) == "seed: 2\ncontrollers: []\nrest: {}\n");

  std::string setting = "controllers=[{name: norm_test}, {eat: 1, name: norm_test}]";
  CHECK(controllers_error(setting) == "--set " + setting +
                                          ": controllers[1].eat: unknown key, allowed is note | "
                                          "name | eta | inner (did you mean 'eta'?)");
  setting = "controllers=[{name: norm_test, eta: 0}]";
  CHECK(controllers_error(setting) ==
        "--set " + setting + ": controllers[0].eta: found 0, allowed is 0.001 .. 1000");
  setting = "controllers=[{}, norm_test]";
  CHECK(controllers_error(setting) == "--set " + setting +
                                          ": controllers[1]: found 'norm_test', expected a "
                                          "mapping such as {name: ...}");
  CHECK(contains(controllers_error("controllers=norm_test"), "expected a list of mappings"));
  CHECK(contains(controllers_error("controllers="), "found '', expected a list of mappings"));
}

}  // namespace localbatch
