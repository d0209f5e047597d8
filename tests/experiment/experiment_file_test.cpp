#include "experiment/experiment_file.h"

#include <doctest/doctest.h>

#include "experiment/fixtures.h"
#include "experiment/sweep.h"

namespace localbatch {

namespace {

std::string place(const Location& location) { return to_string(location); }

const Node& at(const Node& node, std::string_view key) {
  const Node::Entry* const entry = node.find(std::string(key));
  REQUIRE(entry != nullptr);
  return entry->value;
}

std::string parse_error(const std::string& text) {
  return input_error([&] { parse_yaml(text, "f.yaml"); });
}

/// What reading says once `setting` is applied to a small experiment.
std::string setting_error(const std::string& setting) {
  return input_error([&] {
    Node file = parse_yaml("max_samples: 9\ndataset: {name: synthetic}\nlearning_rate: {peak: 0.1}",
                           "f.yaml");
    apply_setting(file, setting);
    read_experiment(Options(file));
  });
}

}  // namespace

TEST_CASE("every key and value of a file knows its line and column") {
  const Node file = parse_yaml(
      "# a comment\n"
      "workers:   4\n"
      "model: {name: resnet,  depth: 20}\n"
      "learning_rate:\n"
      "  milestones: [1, 20,\n"
      "               300]\n",
      "f.yaml");
  REQUIRE(file.kind == Node::Kind::kMap);
  CHECK(place(file.where) == "f.yaml:2:1");
  CHECK(place(file.find("workers")->key_location) == "f.yaml:2:1");
  CHECK(place(at(file, "workers").where) == "f.yaml:2:12");
  CHECK(at(file, "workers").scalar == "4");
  const Node& model = at(file, "model");
  CHECK(model.kind == Node::Kind::kMap);
  CHECK(place(model.where) == "f.yaml:3:8");
  CHECK(place(model.find("depth")->key_location) == "f.yaml:3:24");
  CHECK(place(at(model, "depth").where) == "f.yaml:3:31");
  const Node& milestones = at(at(file, "learning_rate"), "milestones");
  CHECK(milestones.kind == Node::Kind::kList);
  REQUIRE(milestones.items.size() == 3);
  CHECK(milestones.items[1].scalar == "20");
  CHECK(place(milestones.items[1].where) == "f.yaml:5:19");
  CHECK(place(milestones.items[2].where) == "f.yaml:6:16");
}

TEST_CASE("keys keep the order of the file, and a key that is there twice stays twice") {
  const Node file = parse_yaml("b: 1\na: 2\nb: 3\n", "f.yaml");
  REQUIRE(file.entries.size() == 3);
  CHECK(file.entries[0].key == "b");
  CHECK(file.entries[1].key == "a");
  CHECK(file.entries[2].key == "b");
  CHECK(place(file.entries[2].key_location) == "f.yaml:3:1");
}

TEST_CASE("a value that is not there is empty text at a place in the file") {
  const Node file = parse_yaml("a: 1\nworkers:\nseed: 2\n", "f.yaml");
  CHECK(at(file, "workers").kind == Node::Kind::kScalar);
  CHECK(at(file, "workers").scalar.empty());
  CHECK(at(file, "workers").where.line >= 2);
}

TEST_CASE("what is no YAML is one line with file, line and column") {
  CHECK(one_line_with(parse_error("a: 1\nb: [1, 2\nc: 3\n"), {"f.yaml:3:", "not valid YAML"}));
  CHECK(one_line_with(parse_error("a: 1\n  b: 2\n"), {"f.yaml:2:4", "not valid YAML"}));
  CHECK(one_line_with(parse_error("a: 1\n\tb: 2\n"), {"f.yaml:2:", "not valid YAML"}));
  CHECK(one_line_with(parse_error("a: 1\nb: }\n"), {"f.yaml:2:4", "not valid YAML"}));
  CHECK(one_line_with(parse_error("a: *nowhere\n"), {"f.yaml:1:", "not valid YAML"}));
  CHECK(one_line_with(parse_error("a: 1\n[1, 2]: 3\n"), {"f.yaml:2:1", "a key must be a word"}));
}

TEST_CASE("a file that is no mapping is refused") {
  CHECK(one_line_with(parse_error("- a\n- b\n"), {"f.yaml:1:1", "no mapping"}));
  CHECK(one_line_with(parse_error("\n\nword\n"), {"f.yaml:3:1", "no mapping"}));
  CHECK(one_line_with(parse_error(""), {"f.yaml", "no mapping"}));
  CHECK(one_line_with(parse_error("# only a comment\n"), {"f.yaml", "no mapping"}));
}

TEST_CASE("a second document is not ignored") {
  CHECK(one_line_with(parse_error("a: 1\n---\nb: 2\n"), {"f.yaml", "one document"}));
}

TEST_CASE("a mapping that contains itself is refused") {
  CHECK(one_line_with(parse_error("a: &loop\n  b: *loop\n"), {"f.yaml:", "nested"}));
}

TEST_CASE("anchors that stand for billions of values are refused") {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    text += fmt::format("a{}: &a{} [", i, i);
    for (int k = 0; k < 10; ++k) text += fmt::format("*a{}, ", i - 1);
    text += "]\n";
  }
  CHECK(one_line_with(parse_error(text), {"f.yaml:1:", "more than 20000 values"}));
}

TEST_CASE("a list of thousands is read") {
  std::string text = "a: [0";
  for (int i = 1; i < 10'000; ++i) text += fmt::format(", {}", i);
  CHECK(at(parse_yaml(text + "]\n", "f.yaml"), "a").items.size() == 10'000);
}

TEST_CASE("a text longer than a path can be is refused without being repeated") {
  const std::string longest(4096, 'x');
  CHECK(at(parse_yaml("a: " + longest, "f.yaml"), "a").scalar == longest);
  CHECK(parse_error("a: x" + longest) ==
        "f.yaml:1:4: found a text of 4097 bytes, allowed are at most 4096");
  CHECK(setting_error("experiment=" + longest) ==
        "--set: found 4107 bytes, allowed are at most 4096");
}

TEST_CASE("a text that begins with a comma is refused") {
  CHECK(one_line_with(parse_error(",a: 1\n"), {"f.yaml:1:1: ", "not valid YAML"}));
  CHECK(one_line_with(parse_error("# comment\n  ,\n"), {"f.yaml:2:3: ", "not valid YAML"}));
  CHECK(one_line_with(setting_error("seed=,1"), {"--set seed=,1", "not valid YAML"}));
}

TEST_CASE("what follows the value of a setting is not ignored") {
  CHECK(one_line_with(setting_error("workers='2' 3"), {"--set workers='2' 3", "one document"}));
}

TEST_CASE("a control character that is no YAML is shown by its number") {
  CHECK(parse_error("a: \"\\\x14\"\n") ==
        "f.yaml:1:7: not valid YAML: unknown escape character: \\x14");
}

TEST_CASE("an anchor stands for what it was given to") {
  const Node file = parse_yaml("a: &x {n: 1}\nb: *x\n", "f.yaml");
  CHECK(at(at(file, "b"), "n").scalar == "1");
}

TEST_CASE("a missing file is one line with its path") {
  const std::string message = input_error([] { read_experiment_file("/no/such/file.yaml"); });
  CHECK(one_line_with(message, {"/no/such/file.yaml"}));
}

TEST_CASE("a setting overrides a key and makes mappings on its way") {
  Node file = parse_yaml("workers: 1\nmodel: {name: resnet, depth: 20}\n", "f.yaml");
  apply_setting(file, "workers=3");
  apply_setting(file, "model.depth=56");
  apply_setting(file, "batch_size_controller.eta=0.9");
  apply_setting(file, "learning_rate.milestones=[10, 20]");
  apply_setting(file, "sync_interval={name: constant, H: 4}");
  CHECK(file.entries.size() == 5);
  CHECK(at(file, "workers").scalar == "3");
  CHECK(at(at(file, "model"), "depth").scalar == "56");
  CHECK(at(at(file, "model"), "name").scalar == "resnet");
  CHECK(at(at(file, "batch_size_controller"), "eta").scalar == "0.9");
  REQUIRE(at(at(file, "learning_rate"), "milestones").items.size() == 2);
  CHECK(at(at(file, "learning_rate"), "milestones").items[1].scalar == "20");
  CHECK(at(at(file, "sync_interval"), "H").scalar == "4");
  CHECK(place(at(file, "workers").where) == "--set workers=3");
}

TEST_CASE("a setting with an equals sign in its value keeps it") {
  Node file = parse_yaml("dataset: {name: cifar10}\n", "f.yaml");
  apply_setting(file, "dataset.root=/data/a=b/c.d");
  CHECK(at(at(file, "dataset"), "root").scalar == "/data/a=b/c.d");
}

TEST_CASE("a setting is nested no deeper than a file") {
  Node file;
  std::string setting = "a=1";
  for (int level = 1; level < 16; ++level) setting = "a." + setting;
  apply_setting(file, setting);
  CHECK(one_line_with(input_error([&] { apply_setting(file, "a." + setting); }),
                      {"--set a.a.", "more than 16 levels"}));
}

TEST_CASE("the last of two settings of one key counts") {
  Node file = parse_yaml("workers: 1\n", "f.yaml");
  apply_setting(file, "workers=2");
  apply_setting(file, "workers=3");
  CHECK(file.entries.size() == 1);
  CHECK(at(file, "workers").scalar == "3");
}

TEST_CASE("a bad setting is one line that repeats it") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"workers", "expected key=value"},
      {"=3", "expected key=value"},
      {"", "expected key=value"},
      {"workers=[1", "not valid YAML"},
      {"max_samples=1 2", "expected an integer"},
      {"workers.m=3", "workers: found a mapping, expected an integer"},
      {"max_samples.x=3", "not a mapping"},
      {"workers=many", "workers: found 'many', expected an integer"},
      {"workers=", "workers: found '', expected an integer"},
      {"workrs=2", "did you mean 'workers'?"},
      {"batch_size.inital=2", "batch_size.inital: unknown key"},
      {"batch_size..initial=2", "expected key=value"},
      {".workers=2", "expected key=value"},
      {"workers.=2", "expected key=value"},
      {"batch_size=2", "batch_size: found '2', expected a mapping"},
      {"dataset={name: synthetic, sede: 1}", "dataset.sede: unknown key"},
  };
  for (const auto& bad : cases) {
    const std::string message = setting_error(bad.first);
    CHECK_MESSAGE(one_line_with(message, {"--set " + bad.first, bad.second}), message);
  }
}

TEST_CASE("texts of several lines are refused in one line") {
  CHECK(one_line_with(parse_error("a: 1\nworkers: |\n  x\n  y\n"), {"f.yaml:2:10", "one line"}));
  CHECK(one_line_with(parse_error("a: \"x\\ny\"\n"), {"f.yaml:1:4", "one line"}));
  CHECK(one_line_with(parse_error("a: 1\n\"x\\e[2J\": 1\n"), {"f.yaml:2:1", "one line"}));
  CHECK(one_line_with(setting_error("workers=a\n  b"), {"--set: ", "one line"}));
  CHECK(parse_yaml("a: >-\n  x\n  y\n", "f.yaml").entries[0].value.scalar == "x y");
}

TEST_CASE("what was read, read again, is the same text") {
  for (const std::filesystem::path& path : experiment_files()) {
    CAPTURE(path.string());
    for (const SweepCell& cell : sweep_cells(read_experiment_file(path))) {
      const Experiment read = read_experiment(Options(cell.experiment), /*cpu_has_bfloat16=*/true);
      const std::string once = resolved_yaml(read.resolved);
      CHECK(resolved_yaml(read_text(once).resolved) == once);
      CHECK(contains(once, "max_samples: "));
    }
  }
}

TEST_CASE("texts and lists that YAML could misread survive being written and read") {
  for (const std::string text : {"null",  "~",    "true", "1e5",  "- a",
                                 "a: b",  "it's", "#x",   "a #b", "[a]",
                                 "a  b",  "Null", "-1",   "0x10", "\xc3\xa9t\xc3\xa9",
                                 "&a",    "*a",   "!t",   "%",    "@",
                                 "\"q\"", "NULL", "a, b"}) {
    CAPTURE(text);
    Node file = parse_yaml(
        "max_samples: 9\ndataset: {name: cifar10}\n"
        "learning_rate: {name: multistep, peak: 0.1, milestones: [3, 6]}\n",
        "f.yaml");
    Node::Entry root{.key = "root", .key_location = {}, .value = {}};
    root.value.kind = Node::Kind::kScalar;
    root.value.scalar = text;
    file.entries[1].value.entries.push_back(root);
    const std::string once = resolved_yaml(read_experiment(Options(file)).resolved);
    const Node again = parse_yaml(once, "again.yaml");
    CHECK(at(at(again, "dataset"), "root").scalar == text);
    CHECK(at(at(again, "learning_rate"), "milestones").items.size() == 2);
    CHECK(resolved_yaml(read_experiment(Options(again)).resolved) == once);
  }
}

TEST_CASE("text that is not UTF-8 is refused where it is first read, with line and column") {
  CHECK(parse_error("# caf\xc3\xa9\na: caf\xe9\n") ==
        "f.yaml:2:7: found the byte 0xe9, which is not UTF-8; save the text as UTF-8");
  CHECK(input_error([] { parse_yaml(std::string("a: 1\nseed: 3\0\n", 14), "f.yaml"); }) ==
        "f.yaml:2:8: found the byte 0x00, which is in no text; save the text as UTF-8");
  CHECK(parse_error("a: \xc3\xa9\xff\n").starts_with("f.yaml:1:5: found the byte 0xff"));
  // Longer forms than needed, surrogates, what is beyond the last character, an end in the middle.
  for (const char* const wrong : {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                  "\xf5\x80\x80\x80", "\x80", "\xe2\x82"})
    CHECK(contains(parse_error(std::string("a: ") + wrong), "f.yaml:1:4: found the byte"));
  CHECK(setting_error("experiment=caf\xe9") ==
        "--set: found the byte 0xe9, which is not UTF-8; save the text as UTF-8");
  const std::string all =
      "\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
  CHECK(parse_error("# " + all + "\na: 1\n") == "(no InputError)");
}

TEST_CASE("a file that is far too large is refused before it is parsed") {
  CHECK(parse_error("a: 1\n#" + std::string(1 << 20, 'x')) ==
        fmt::format("f.yaml: found {} bytes, allowed are at most {}", (1 << 20) + 6, 1 << 20));
  std::string text = "a: [0";
  for (int i = 1; i < 300'000; ++i) text += ",1";
  CHECK(contains(parse_error(text + "]\n"), "more than 20000 values"));
}

}  // namespace localbatch
