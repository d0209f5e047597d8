#include "core/text.h"

#include <doctest/doctest.h>

namespace localbatch {

TEST_CASE("texts and numbers are joined with separators between them only") {
  CHECK(join(std::vector<std::string>{}, ", ") == "");
  CHECK(join(std::vector<std::string>{"sgd"}, " | ") == "sgd");
  CHECK(join(std::vector<std::string>{"sgd", "", "adamw"}, " | ") == "sgd |  | adamw");
  CHECK(join(std::vector<int>{3, -32, 32}, "x") == "3x-32x32");
  CHECK(join(std::vector<std::int64_t>{1LL << 40}, ", ") == "1099511627776");
}

TEST_CASE("a text is split at every separator, into one part at least") {
  using Parts = std::vector<std::string>;
  CHECK(split("a", ',') == Parts{"a"});
  CHECK(split("", ',') == Parts{""});
  CHECK(split("a,,b", ',') == Parts{"a", "", "b"});
  CHECK(split("a,", ',') == Parts{"a", ""});
}

TEST_CASE("columns of a table for a terminal are as wide as their widest cell") {
  const std::vector<TextRow> rows{
      {"name", "value", "unit"}, {"loss", "12.25", "nats"}, {"b", "8", ""}};
  CHECK(left_aligned(rows) ==
        "name  value  unit\n"
        "loss  12.25  nats\n"
        "b     8      \n");
  CHECK(right_aligned(rows) ==
        "  name  value  unit\n"
        "  loss  12.25  nats\n"
        "  b         8      \n");
}

TEST_CASE("what can move a cursor or turn a line around is shown as its number") {
  CHECK(printable("Größe 50 % ± 2, 數 \\ 🙂 \"x\"") ==
        "Größe 50 % ± 2, 數 \\ 🙂 \"x\"");
  CHECK(printable("a\x1b[2Jb\rc\td\x7f") == "a\\u001b[2Jb\\u000dc\\u0009d\\u007f");
  CHECK(printable("1.0e-4\ufeff \u200b\u00ad\u2060\U000e0041") ==
        "1.0e-4\\ufeff \\u200b\\u00ad\\u2060\\ue0041");
  CHECK(printable("\u009b31m\u202eabc\u2066\u200f\u061c\u2028") ==
        "\\u009b31m\\u202eabc\\u2066\\u200f\\u061c\\u2028");
  CHECK(printable(std::string_view("a\0b\n", 4)) == "a\\u0000b\\u000a");
  CHECK(printable("a\nb\r", "\n") == "a\nb\\u000d");
}

TEST_CASE("bytes that are not UTF-8 are shown as bytes") {
  CHECK(printable("M\xfcller \x9b") == "M\\xfcller \\x9b");
  // A code written in too many bytes, a half of a pair, one beyond the last, and one cut short.
  CHECK(printable("\xc0\x8a") == "\\xc0\\x8a");
  CHECK(printable("\xe0\x80\x8a") == "\\xe0\\x80\\x8a");
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");
  CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
  CHECK(printable("\xe6\x95") == "\\xe6\\x95");
}

TEST_CASE("UTF-8 ends before the first byte that does not belong there") {
  CHECK(length_of_utf8("") == 0);
  CHECK(length_of_utf8("a\xc3\xbc\xf0\x9f\x99\x82") == 7);
  CHECK(length_of_utf8("a\xfc-") == 1);
  CHECK(length_of_utf8("ab\xe6\x95") == 2);
  CHECK(length_of_utf8("\xed\xa0\x80") == 0);
}

TEST_CASE("bytes are shown in the unit that fits") {
  CHECK(size_text(0) == "0 B");
  CHECK(size_text(1023) == "1023 B");
  CHECK(size_text(1024) == "1.0 KiB");
  CHECK(size_text(9626) == "9.4 KiB");
  CHECK(size_text(std::uint64_t{300} << 20) == "300 MiB");
  CHECK(size_text((std::uint64_t{1} << 30) - 1) == "1.0 GiB");
  CHECK(size_text(6153110016) == "5.7 GiB");
  CHECK(size_text(std::uint64_t{5000} << 40) == "5000.0 TiB");
}

TEST_CASE("one thing, and several things") {
  CHECK(counted(1, "worker") == "1 worker");
  CHECK(counted(0, "worker") == "0 workers");
  CHECK(counted(2, "worker") == "2 workers");
}

}  // namespace localbatch
