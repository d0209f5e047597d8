#include "core/options.h"

#include <doctest/doctest.h>

#include "core/error.h"
#include "core/make_node.h"

using namespace localbatch;

TEST_CASE("values are read with their type, and defaults stand in for absent keys") {
  const Node file = map({{"eta", scalar("5.0e-4")},
                         {"H", scalar("16")},
                         {"flip", scalar("false")},
                         {"root", scalar("some/where")},
                         {"at", scalar("first")},
                         {"steps", list({scalar("10"), scalar("20")})}});
  Options options(file);
  CHECK(options.number("eta", {.fallback = 1, .meaning = ""}) == 5.0e-4);
  CHECK(options.integer("H", {.fallback = 1, .meaning = ""}) == 16);
  CHECK_FALSE(options.flag("flip", {.fallback = true, .meaning = ""}));
  CHECK(options.text("root", {.fallback = ".", .meaning = ""}) == "some/where");
  CHECK(options.choice("at", {.fallback = "last", .choices = {"first", "last"}, .meaning = ""}) ==
        "first");
  CHECK(options.integers("steps", {.meaning = ""}) == std::vector<std::int64_t>{10, 20});

  CHECK(options.number("lr", {.fallback = 0.1, .meaning = ""}) == 0.1);
  CHECK(options.integer("seed", {.fallback = 7, .meaning = ""}) == 7);
  CHECK(options.flag("monotone", {.fallback = true, .meaning = ""}));
  CHECK(options.text("note", {.fallback = "none", .meaning = ""}) == "none");
  CHECK(options.choice("mode", {.fallback = "b", .choices = {"a", "b"}, .meaning = ""}) == "b");
  CHECK(options.integers("more", {.fallback = {{1, 2}}, .meaning = ""}) ==
        std::vector<std::int64_t>{1, 2});
  CHECK_NOTHROW(options.finish());
}

TEST_CASE("a choice among values returns the value of the name that was found") {
  enum class Colour { kRed, kGreen, kBlue };
  const Node file = map({{"first", scalar("blue")}, {"third", scalar("pink", 3, 8)}});
  Options options(file);
  const auto read = [&options](std::string_view key, std::optional<Colour> fallback) {
    return options.choice<Colour>(
        key,
        {.fallback = fallback,
         .choices = {{"blue", Colour::kBlue}, {"red", Colour::kRed}, {"green", Colour::kGreen}},
         .meaning = "of the walls"});
  };
  CHECK(read("first", Colour::kRed) == Colour::kBlue);
  CHECK(read("second", Colour::kGreen) == Colour::kGreen);
  CHECK_THROWS_WITH_AS(read("third", Colour::kRed),
                       "test.yaml:3:8: third: found 'pink', allowed is blue | red | green",
                       InputError);
  CHECK_THROWS_WITH_AS(read("fourth", std::nullopt),
                       "test.yaml:1:1: fourth: missing, expected one of blue | red | green",
                       InputError);
  const std::vector<Declaration> declared = options.declarations();
  REQUIRE(declared.size() == 2);
  CHECK(declared[0].type == KeyType::kChoice);
  CHECK(declared[0].value == "blue");
  CHECK(declared[0].fallback == "red");
  CHECK(declared[0].allowed == "blue | red | green");
  CHECK(declared[1].value == "green");
}

TEST_CASE("an integer has the type that its reader asks for") {
  const Node file = map({{"H", scalar("16")}});
  Options options(file);
  const auto value = options.integer<int>("H", {.min = 1, .max = 1 << 30, .meaning = ""});
  static_assert(std::is_same_v<decltype(value), const int>);
  CHECK(value == 16);
}

TEST_CASE("a missing required key is refused at its mapping, with what is expected") {
  const Node file = map({{"model", map({}, 4, 9)}}, 1, 1);
  Options options(file);
  Options model = options.part("model", "");
  CHECK_THROWS_WITH_AS(model.number("eta", {.min = 0.1, .max = 1, .meaning = ""}),
                       "test.yaml:4:9: model.eta: missing, expected a number, 0.1 .. 1",
                       InputError);
  CHECK_THROWS_WITH_AS(model.number("x", {.meaning = ""}),
                       "test.yaml:4:9: model.x: missing, expected a number", InputError);
  CHECK_THROWS_WITH_AS(model.integer("depth", {.min = 8, .meaning = ""}),
                       "test.yaml:4:9: model.depth: missing, expected an integer, at least 8",
                       InputError);
  CHECK_THROWS_WITH_AS(model.text("root", {.meaning = ""}),
                       "test.yaml:4:9: model.root: missing, expected text", InputError);
  CHECK_THROWS_WITH_AS(model.choice("name", {.choices = {"mlp", "resnet"}, .meaning = ""}),
                       "test.yaml:4:9: model.name: missing, expected one of mlp | resnet",
                       InputError);
  CHECK_THROWS_WITH_AS(
      model.integers("milestones", {.min = 1, .meaning = ""}),
      "test.yaml:4:9: model.milestones: missing, expected a list of integers, each at least 1",
      InputError);
}

TEST_CASE("a required key that is misspelt is refused where it stands, with its right name") {
  const Node file = map({{"sequence_lenght", scalar("64", 7, 20)}, {"depth", scalar("3", 8, 3)}});
  Options options(file);
  options.integer("depth", {.meaning = ""});
  CHECK_THROWS_WITH_AS(
      options.integer("sequence_length", {.min = 1, .meaning = ""}),
      "test.yaml:7:1: sequence_lenght: unknown key (did you mean 'sequence_length'?)", InputError);
  // A key that somebody has asked for is meant as it is written.
  CHECK_THROWS_WITH_AS(
      options.integer("depths", {.min = 1, .meaning = ""}),
      (to_string(file.where) + ": depths: missing, expected an integer, at least 1").c_str(),
      InputError);
}

TEST_CASE("an absent mapping reports its missing keys at the mapping around it") {
  const Node file = map({}, 1, 1);
  Options options(file);
  Options controller = options.part("batch_size_controller", "");
  CHECK_THROWS_WITH_AS(
      controller.integer("every", {.min = 1, .max = 9, .meaning = ""}),
      "test.yaml:1:1: batch_size_controller.every: missing, expected an integer, 1 .. 9",
      InputError);
}

TEST_CASE("numbers and flags are read as people and YAML write them") {
  const auto integer = [](const char* text) {
    const Node file = map({{"max_samples", scalar(text, 1, 1)}});
    return Options(file).integer("max_samples", {.fallback = 1, .meaning = ""});
  };
  CHECK(integer("2e4") == 20000);
  CHECK(integer("20000.0") == 20000);
  CHECK(integer("+7") == 7);
  CHECK(integer("9007199254740992") == std::int64_t{1} << 53);
  const Node number = map({{"eta", scalar("+0.1", 1, 1)}});
  CHECK(Options(number).number("eta", {.fallback = 1, .meaning = ""}) == 0.1);
  for (const char* const text : {"true", "True", "TRUE"}) {
    const Node flag = map({{"flip", scalar(text, 1, 1)}});
    CHECK(Options(flag).flag("flip", {.fallback = false, .meaning = ""}));
  }
  const Node off = map({{"flip", scalar("False", 1, 1)}});
  CHECK_FALSE(Options(off).flag("flip", {.fallback = true, .meaning = ""}));
}

TEST_CASE("an integer that no curve could hold is refused: sums of two would overflow") {
  for (const char* const text : {"9007199254740993", "9223372036854775807"}) {
    const Node file = map({{"max_samples", scalar(text, 3, 6)}});
    CHECK_THROWS_WITH_AS(
        Options(file).integer("max_samples", {.fallback = 1, .meaning = ""}),
        fmt::format("test.yaml:3:6: max_samples: found {}, allowed are integers up to 2^53, "
                    "9007199254740992",
                    text)
            .c_str(),
        InputError);
  }
}

TEST_CASE("values of another type are refused where they stand") {
  for (const char* text : {"abc", "", "1.5x", "0x10", "nan", "inf", "true", "1,5"}) {
    CAPTURE(text);
    const Node file = map({{"eta", scalar(text, 3, 6)}});
    CHECK_THROWS_WITH_AS(
        Options(file).number("eta", {.fallback = 1, .meaning = ""}),
        fmt::format("test.yaml:3:6: eta: found '{}', expected a number", text).c_str(), InputError);
  }
  for (const char* text :
       {"1.5", "1e-3", "", "12 ", "99999999999999999999", "1e300", "inf", "nan", "+-1"}) {
    CAPTURE(text);
    const Node file = map({{"H", scalar(text, 3, 4)}});
    CHECK_THROWS_WITH_AS(
        Options(file).integer("H", {.fallback = 1, .meaning = ""}),
        fmt::format("test.yaml:3:4: H: found '{}', expected an integer", text).c_str(), InputError);
  }
  for (const char* text : {"yes", "1", "tRUE", ""}) {
    CAPTURE(text);
    const Node file = map({{"flip", scalar(text, 2, 7)}});
    CHECK_THROWS_WITH_AS(
        Options(file).flag("flip", {.meaning = ""}),
        fmt::format("test.yaml:2:7: flip: found '{}', expected true or false", text).c_str(),
        InputError);
  }
}

TEST_CASE("lists and mappings are refused where a scalar is expected, and the other way round") {
  const Node file = map({{"eta", list({}, 2, 6)}, {"model", scalar("resnet", 3, 8)}});
  Options options(file);
  CHECK_THROWS_WITH_AS(options.number("eta", {.fallback = 1, .meaning = ""}),
                       "test.yaml:2:6: eta: found a list, expected a number", InputError);
  CHECK_THROWS_WITH_AS(options.choice("eta", {.choices = {"a", "b"}, .meaning = ""}),
                       "test.yaml:2:6: eta: found a list, expected one of a | b", InputError);
  CHECK_THROWS_WITH_AS(
      options.part("model", ""),
      "test.yaml:3:8: model: found 'resnet', expected a mapping such as {name: ...}", InputError);
  CHECK_THROWS_WITH_AS(options.integers("model", {.meaning = ""}),
                       "test.yaml:3:8: model: found 'resnet', expected a list of integers",
                       InputError);
  const Node no_map = scalar("hello", 1, 1);
  CHECK_THROWS_WITH_AS(Options{no_map}, "test.yaml:1:1: found 'hello', expected a mapping",
                       InputError);
}

TEST_CASE("values out of range are refused; the ends of a range are in it") {
  const auto number = [](const char* text) {
    const Node file = map({{"eta", scalar(text, 5, 6)}});
    return Options(file).number("eta", {.fallback = 0.5, .min = 0.1, .max = 1, .meaning = ""});
  };
  CHECK(number("0.1") == 0.1);
  CHECK(number("1") == 1);
  CHECK_THROWS_WITH_AS(number("0.09"), "test.yaml:5:6: eta: found 0.09, allowed is 0.1 .. 1",
                       InputError);
  CHECK_THROWS_AS(number("1.001"), InputError);

  const auto integer = [](const char* text) {
    const Node file = map({{"H", scalar(text, 5, 4)}});
    return Options(file).integer("H", {.fallback = 1, .min = 1, .meaning = ""});
  };
  CHECK(integer("1") == 1);
  CHECK_THROWS_WITH_AS(integer("0"), "test.yaml:5:4: H: found 0, allowed is at least 1",
                       InputError);
}

TEST_CASE("each item of a list is checked where it stands") {
  const auto read = [](Node item) {
    const Node file = map({{"milestones", list({scalar("1", 2, 14), std::move(item)}, 2, 13)}});
    return Options(file).integers("milestones", {.min = 1, .max = 9, .meaning = ""});
  };
  CHECK(read(scalar("9", 2, 17)) == std::vector<std::int64_t>{1, 9});
  CHECK_THROWS_WITH_AS(read(scalar("10", 2, 17)),
                       "test.yaml:2:17: milestones: found 10, allowed is 1 .. 9", InputError);
  CHECK_THROWS_WITH_AS(read(scalar("2.5", 2, 17)),
                       "test.yaml:2:17: milestones: found '2.5', expected an integer", InputError);
  CHECK_THROWS_WITH_AS(read(list({}, 2, 17)),
                       "test.yaml:2:17: milestones: found a list, expected an integer", InputError);
}

TEST_CASE("a value that is no choice is refused with the nearest one") {
  const Node file = map({{"name", scalar("norm_tset", 7, 3)}});
  CHECK_THROWS_WITH_AS(
      Options(file).choice("name", {.choices = {"fixed", "norm_test"}, .meaning = ""}),
      "test.yaml:7:3: name: found 'norm_tset', allowed is fixed | norm_test (did you mean "
      "'norm_test'?)",
      InputError);
}

TEST_CASE("an unread key is refused with its full path, its place and the nearest name") {
  const Node file =
      map({{"seed", scalar("1", 1, 7)},
           {"controller", map({{"inner", map({{"etaa", scalar("1", 5, 11)}}, 5, 5)}}, 4, 3)}});
  Options options(file);
  options.integer("seed", {.fallback = 1, .meaning = ""});
  Options inner = options.part("controller", "").part("inner", "");
  inner.number("eta", {.fallback = 1, .meaning = ""});
  inner.number("nu", {.fallback = 1, .meaning = ""});
  CHECK_THROWS_WITH_AS(options.finish(),
                       "test.yaml:5:1: controller.inner.etaa: unknown key, allowed is eta | nu "
                       "(did you mean 'eta'?)",
                       InputError);
}

TEST_CASE("an unread key with no near name is refused without a guess") {
  const Node file = map({{"colour", scalar("red", 2, 9)}});
  Options options(file);
  options.integer("seed", {.fallback = 1, .meaning = ""});
  CHECK_THROWS_WITH_AS(options.finish(), "test.yaml:2:1: colour: unknown key, allowed is seed",
                       InputError);
}

TEST_CASE("a key that belongs elsewhere is refused with its place") {
  const Node file = map({{"eta", scalar("0.5", 2, 6)}, {"first", map({})}});
  Options options(file);
  options.part("first", "").number("theta", {.fallback = 1, .meaning = ""});
  options.part("controller", "").part("inner", "").number("eta", {.fallback = 1, .meaning = ""});
  CHECK_THROWS_WITH_AS(options.finish(),
                       "test.yaml:2:1: eta: unknown key here, did you mean "
                       "'controller.inner.eta'?",
                       InputError);
}

TEST_CASE("a whole mapping that nobody reads is an unknown key") {
  const Node file = map({{"modle", map({{"depth", scalar("20")}}, 3, 2)}});
  Options options(file);
  options.part("model", "");
  CHECK_THROWS_WITH_AS(options.finish(),
                       "test.yaml:3:1: modle: unknown key, allowed is model (did you mean "
                       "'model'?)",
                       InputError);
}

TEST_CASE("an integer that may be absent is declared only where the file has it, or is described") {
  const IntegerKey key{.min = 1, .meaning = "of some"};
  const Node without = map({{"validatoin", scalar("5", 2, 13)}}),
             with = map({{"validation", scalar("5", 2, 13)}});
  Options absent(without), given(with), described = Options::describing();
  CHECK_FALSE(absent.optional_integer("validation", key));
  CHECK(absent.declarations().empty());
  CHECK_THROWS_WITH_AS(absent.finish(),
                       "test.yaml:2:1: validatoin: unknown key, allowed is validation (did you "
                       "mean 'validation'?)",
                       InputError);
  CHECK(given.optional_integer("validation", key) == 5);
  CHECK(given.declarations()[0].value == "5");
  CHECK_FALSE(described.optional_integer("validation", key));
  CHECK(described.declarations()[0].may_be_absent);
  CHECK_FALSE(described.declarations()[0].required);
}

TEST_CASE("a key that stands twice in a mapping is refused at its second place") {
  const Node file = map({{"seed", scalar("1", 1, 7)}, {"seed", scalar("2", 2, 7)}});
  Options options(file);
  options.integer("seed", {.fallback = 1, .meaning = ""});
  CHECK_THROWS_WITH_AS(options.finish(), "test.yaml:2:1: seed: found twice in one mapping",
                       InputError);
}

TEST_CASE("a part that is misspelt is refused where it stands, before what is missing in it") {
  const Node file = map({{"learnig_rate", map({{"peak", scalar("0.1", 7, 20)}}, 7, 15)},
                         {"model", map({{"name", scalar("mlp", 8, 9)}}, 8, 9)}});
  Options options(file);
  Options rate = options.part("learning_rate", "");
  const char* const message =
      "test.yaml:7:1: learnig_rate: unknown key (did you mean 'learning_rate'?)";
  CHECK_THROWS_WITH_AS(rate.number("peak", {.min = 0, .meaning = ""}), message, InputError);
  CHECK_THROWS_WITH_AS(rate.part("warmup", "").text("unit", {.meaning = ""}), message, InputError);
  CHECK_THROWS_WITH_AS(options.part("model", "").fail("name", "has no rate"), message, InputError);
}

TEST_CASE("a rule that fails for want of a misspelt key leads to that key") {
  const Node file =
      map({{"workes", scalar("4", 2, 9)}, {"sizes", map({{"intial", scalar("9", 3, 8)}}, 3, 3)}});
  Options options(file);
  options.integer("workers", {.fallback = 1, .meaning = ""});
  Options sizes = options.part("sizes", "");
  CHECK_THROWS_WITH_AS(options.fail("chunks", "needs two workers"),
                       "test.yaml:2:1: workes: unknown key (did you mean 'workers'?)", InputError);
  sizes.integer("initial", {.fallback = 32, .meaning = ""});
  CHECK_THROWS_WITH_AS(sizes.fail("max", "is less than initial"),
                       "test.yaml:3:1: sizes.intial: unknown key (did you mean 'initial'?)",
                       InputError);
}

TEST_CASE("a rule that spans several keys points at the value, or at the mapping without it") {
  const Node file = map({{"part", map({{"min", scalar("9", 3, 8)}}, 2, 3)}});
  Options options(file);
  Options part = options.part("part", "");
  CHECK_THROWS_WITH_AS(part.fail("min", "too large"), "test.yaml:3:8: part.min: too large",
                       InputError);
  CHECK_THROWS_WITH_AS(part.fail("max", "too small"), "test.yaml:2:3: part.max: too small",
                       InputError);
}

TEST_CASE("a list of parts is read item by item, and an absent one is empty") {
  const Node file = map({{"rules", list({map({{"eta", scalar("0.8")}}), map({})})}});
  Options options(file);
  std::vector<Options> rules = options.parts("rules", "");
  REQUIRE(rules.size() == 2);
  CHECK(rules[0].number("eta", {.fallback = 1, .meaning = ""}) == 0.8);
  CHECK(rules[1].number("eta", {.fallback = 1, .meaning = ""}) == 1);
  CHECK(options.parts("others", "").empty());
  CHECK_NOTHROW(options.finish());
}

TEST_CASE("what is no list of mappings is refused where it stands, an item at its own place") {
  const Node file = map({{"one", map({}, 2, 6)},
                         {"word", scalar("norm_test", 3, 7)},
                         {"mixed", list({map({}, 4, 9), scalar("fixed", 4, 13)}, 4, 8)},
                         {"deep", list({list({}, 5, 8)}, 5, 7)}});
  Options options(file);
  CHECK_THROWS_WITH_AS(options.parts("one", ""),
                       "test.yaml:2:6: one: found a mapping, expected a list of mappings such as "
                       "[{name: ...}]",
                       InputError);
  CHECK_THROWS_WITH_AS(options.parts("word", ""),
                       "test.yaml:3:7: word: found 'norm_test', expected a list of mappings such "
                       "as [{name: ...}]",
                       InputError);
  CHECK_THROWS_WITH_AS(options.parts("mixed", ""),
                       "test.yaml:4:13: mixed[1]: found 'fixed', expected a mapping such as "
                       "{name: ...}",
                       InputError);
  CHECK_THROWS_WITH_AS(options.parts("deep", ""),
                       "test.yaml:5:8: deep[0]: found a list, expected a mapping such as "
                       "{name: ...}",
                       InputError);
}

TEST_CASE("mistakes in an item of a list of parts are named by its number") {
  const Node file = map({{"part", map({{"rules", list({map({{"eta", scalar("0.8", 3, 9)}}, 3, 4),
                                                       map({{"eta", scalar("x", 4, 9)}}, 4, 4),
                                                       map({{"etaa", scalar("1", 5, 9)}}, 5, 4)},
                                                      2, 10)}})}});
  Options options(file);
  std::vector<Options> rules = options.part("part", "").parts("rules", "");
  REQUIRE(rules.size() == 3);
  rules[0].number("eta", {.meaning = ""});
  CHECK_THROWS_WITH_AS(rules[1].number("eta", {.fallback = 1, .meaning = ""}),
                       "test.yaml:4:9: part.rules[1].eta: found 'x', expected a number",
                       InputError);
  CHECK_THROWS_WITH_AS(rules[2].number("eta", {.meaning = ""}),
                       "test.yaml:5:1: part.rules[2].etaa: unknown key (did you mean 'eta'?)",
                       InputError);
  CHECK_THROWS_WITH_AS(rules[1].fail("eta", "too large"),
                       "test.yaml:4:9: part.rules[1].eta: too large", InputError);
  rules[1].text("eta", {.meaning = ""});
  rules[2].number("eta", {.fallback = 1, .meaning = ""});
  CHECK_THROWS_WITH_AS(options.finish(),
                       "test.yaml:5:1: part.rules[2].etaa: unknown key, allowed is eta (did you "
                       "mean 'eta'?)",
                       InputError);
}

TEST_CASE("a list of parts that nobody reads is an unknown key") {
  const Node file = map({{"ruels", list({map({})}, 3, 2)}});
  Options options(file);
  options.parts("rules", "");
  CHECK_THROWS_WITH_AS(options.finish(),
                       "test.yaml:3:1: ruels: unknown key, allowed is rules (did you mean "
                       "'rules'?)",
                       InputError);
}

TEST_CASE("a value from the command line is named by its source alone") {
  Node file = map({{"H", scalar("x")}});
  file.entries[0].value.where = {"--set H=x", 0, 0};
  CHECK_THROWS_WITH_AS(Options(file).integer("H", {.fallback = 1, .meaning = ""}),
                       "--set H=x: H: found 'x', expected an integer", InputError);
}
