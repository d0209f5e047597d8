#include <doctest/doctest.h>

#include "core/make_node.h"
#include "core/options.h"

using namespace localbatch;

namespace {

std::vector<std::string> keys_of(const std::vector<Declaration>& declared) {
  std::vector<std::string> keys;
  keys.reserve(declared.size());
  for (const Declaration& one : declared) keys.push_back(one.key);
  return keys;
}

}  // namespace

TEST_CASE("declarations stand in reading order with type, default, range, meaning and value") {
  const Node file = map({{"eta", scalar("0.25")},
                         {"root", scalar("a b")},
                         {"model", map({{"depth", scalar("20")}})},
                         {"steps", list({scalar("3"), scalar("5")})}});
  Options options(file);
  options.text("root", {.meaning = "where data lie"});
  Options model = options.part("model", "the network");
  options.number("eta", {.fallback = 0.8, .min = 0.1, .meaning = "parameter"});
  options.flag("flip", {.fallback = true, .meaning = ""});
  options.integers("steps", {.fallback = {{1, 2}}, .min = 1, .meaning = ""});
  model.integer("depth", {.fallback = 8, .min = 1, .max = 99, .meaning = "layers"});

  const std::vector<Declaration> declared = options.declarations();
  REQUIRE(keys_of(declared) == std::vector<std::string>{"root", "model", "eta", "flip", "steps"});
  CHECK(declared[0].type == KeyType::kText);
  CHECK(declared[0].required);
  CHECK(declared[0].meaning == "where data lie");
  CHECK(declared[0].value == "'a b'");
  CHECK(declared[1].type == KeyType::kPart);
  REQUIRE(keys_of(declared[1].parts) == std::vector<std::string>{"depth"});
  CHECK(declared[1].parts[0].value == "20");
  CHECK(declared[1].parts[0].fallback == "8");
  CHECK(declared[1].parts[0].allowed == "1 .. 99");
  CHECK(declared[1].parts[0].min == "1");
  CHECK(declared[1].parts[0].max == "99");
  CHECK(declared[2].type == KeyType::kNumber);
  CHECK(declared[2].fallback == "0.8");
  CHECK(declared[2].allowed == "at least 0.1");
  CHECK(declared[2].min == "0.1");
  CHECK(declared[2].max.empty());
  CHECK(declared[2].value == "0.25");
  CHECK_FALSE(declared[2].required);
  CHECK(declared[3].value == "true");
  CHECK(declared[3].allowed == "true | false");
  CHECK(declared[4].type == KeyType::kIntegers);
  CHECK(declared[4].fallback == "[1, 2]");
  CHECK(declared[4].value == "[3, 5]");
}

TEST_CASE("numbers are declared with all the digits that bring them back") {
  const Node file =
      map({{"x", scalar("0.1000000000000000055511151231257827")}, {"y", scalar("1e-300")}});
  Options options(file);
  const double x = options.number("x", {.meaning = ""});
  const double y = options.number("y", {.meaning = ""});
  const auto declared = options.declarations();
  CHECK(std::stod(declared[0].value) == x);
  CHECK(std::stod(declared[1].value) == y);
}

TEST_CASE("text is declared as YAML that reads back as the same text") {
  const auto declared = [](const char* text) {
    const Node file = map({{"root", scalar(text)}});
    Options options(file);
    options.text("root", {.meaning = ""});
    return options.declarations().front().value;
  };
  CHECK(declared("../data/cifar-10") == "../data/cifar-10");
  CHECK(declared("it's") == "'it''s'");
  CHECK(declared("") == "''");
  CHECK(declared("10") == "'10'");
  CHECK(declared("-x") == "'-x'");
  CHECK(declared("a: b # c") == "'a: b # c'");
}

TEST_CASE("describing declares every key of every part although nothing was written") {
  Options options = Options::describing();
  CHECK_NOTHROW(options.number("eta", {.min = 0.1, .max = 1, .meaning = ""}));
  CHECK_NOTHROW(options.integer("H", {.min = 4, .meaning = ""}));
  CHECK_NOTHROW(options.text("root", {.meaning = ""}));
  CHECK_NOTHROW(options.integers("milestones", {.min = 1, .meaning = ""}));
  Options part = options.part("model", "");
  CHECK(part.choice("name", {.choices = {"mlp", "resnet"}, .meaning = ""}) == "mlp");
  CHECK_NOTHROW(options.finish());
  const auto declared = options.declarations();
  CHECK(keys_of(declared) == std::vector<std::string>{"eta", "H", "root", "milestones", "model"});
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(declared[i].required);
    CHECK(declared[i].fallback.empty());
  }
  CHECK(keys_of(declared[4].parts) == std::vector<std::string>{"name"});
}

TEST_CASE("copies of options declare into one list") {
  const Node file = map({{"part", map({{"a", scalar("1")}, {"b", scalar("2")}})}});
  Options options(file);
  {
    Options part = options.part("part", "");
    Options copy = part;
    part.integer("a", {.meaning = ""});
    copy.integer("b", {.meaning = ""});
  }
  CHECK_NOTHROW(options.finish());
  CHECK(keys_of(options.declarations()[0].parts) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("a text that YAML would take for nothing or for a number is declared in quotes") {
  for (const std::string text : {"null", "Null", "NULL", "12", "-x", "a b", "", "it's"}) {
    const Node file = map({{"root", scalar(text)}});
    Options options(file);
    CHECK(options.text("root", {.meaning = "where data lie"}) == text);
    CHECK(options.declarations().at(0).value.front() == '\'');
  }
}

TEST_CASE("a list of parts is declared with one part for each item") {
  const Node file = map({{"rules", list({map({{"eta", scalar("0.5")}}), map({})})}});
  Options options(file);
  std::vector<Options> rules = options.parts("rules", "tested beside it");
  options.parts("others", "");
  rules[1].text("note", {.fallback = "none", .meaning = ""});
  rules[0].number("eta", {.fallback = 0.8, .meaning = ""});
  rules[1].number("eta", {.fallback = 0.8, .meaning = ""});

  const std::vector<Declaration> declared = options.declarations();
  REQUIRE(keys_of(declared) == std::vector<std::string>{"rules", "others"});
  CHECK(declared[0].type == KeyType::kParts);
  CHECK(declared[0].meaning == "tested beside it");
  CHECK(declared[0].fallback == "[]");
  CHECK_FALSE(declared[0].required);
  REQUIRE(keys_of(declared[0].parts) == std::vector<std::string>{"[0]", "[1]"});
  const Declaration &first = declared[0].parts[0], &second = declared[0].parts[1];
  CHECK(first.type == KeyType::kPart);
  REQUIRE(keys_of(first.parts) == std::vector<std::string>{"eta"});
  CHECK(first.parts[0].value == "0.5");
  REQUIRE(keys_of(second.parts) == std::vector<std::string>{"note", "eta"});
  CHECK(second.parts[1].value == "0.8");
  CHECK(declared[1].parts.empty());
  CHECK(declared[1].value == "[]");
}

TEST_CASE("describing declares an empty list of parts") {
  Options options = Options::describing();
  CHECK(options.parts("rules", "").empty());
  REQUIRE(keys_of(options.declarations()) == std::vector<std::string>{"rules"});
  CHECK(options.declarations()[0].value == "[]");
  CHECK(options.declarations()[0].parts.empty());
}
