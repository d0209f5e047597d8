// The man page and the completions of shells, which are made from what the commands declare.

#include <doctest/doctest.h>

#include <cstdlib>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "apps/program_fixture.h"

namespace localbatch {

namespace {

/// What stands in all lines of a text that begin with the pattern's first group.
std::set<std::string> first_groups(const std::string& text, const char* pattern) {
  const std::regex expression(pattern);
  std::set<std::string> found;
  for (const std::string& line : lines_of(text))
    if (std::smatch match; std::regex_search(line, match, expression)) found.insert(match[1]);
  return found;
}

std::set<std::string> commands_of(const ProgramFixture& program) {
  const std::string help = program.run("--help").out;
  return first_groups(help.substr(help.find("commands:")), "^  ([a-z]+) ");
}

std::set<std::string> options_of(const ProgramFixture& program, const std::string& command) {
  return first_groups(program.run(command + " --help").out, R"(^  (?:-h \[ )?(--[a-z-]+))");
}

bool has_command(const std::string& name) {
  return std::system(("command -v " + name + " >/dev/null 2>&1").c_str()) == 0;
}

/// What bash completes when the last of `words` has been typed as far as it stands there.
std::set<std::string> completed(const ProgramFixture& program,
                                const std::vector<std::string>& words) {
  std::ofstream script(program.path("complete.sh"));
  script << "source ./completion\nCOMP_WORDS=(";
  for (const std::string& word : words) script << "'" << word << "' ";
  script << ")\nCOMP_CWORD=" << words.size() - 1
         << "\n_localbatch localbatch\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
  script.close();
  const fs::path answer = program.path("answer");
  const std::string command = "cd '" + program.path("").string() + "' && bash complete.sh >answer";
  REQUIRE(std::system(command.c_str()) == 0);
  std::set<std::string> offered;
  for (const std::string& line : lines_of(text_of(answer)))
    if (!line.empty()) offered.insert(line);
  return offered;
}

}  // namespace

TEST_CASE("the man page has every command with every option of its --help, and man reads it") {
  const ProgramFixture program;
  const Finished page = program.run("--man");
  CHECK(page.status == 0);
  const std::string plain = std::regex_replace(page.out, std::regex(R"(\\-)"), "-");
  const std::set<std::string> commands = commands_of(program);
  CHECK(commands.size() >= 10);
  for (const std::string& command : commands) {
    const std::size_t begin = plain.find("\n.SS " + command + "\n");
    CAPTURE(command);
    REQUIRE(begin != std::string::npos);
    const std::string section = plain.substr(begin, plain.find("\n.S", begin + 1) - begin);
    for (const std::string& option : options_of(program, command))
      CHECK_MESSAGE(contains(section, "\n.B " + option), option);
  }
  if (!has_command("man")) {
    MESSAGE("no man here: the page is not formatted");
    return;
  }
  std::ofstream(program.path("localbatch.1")) << page.out;
  const std::string command = "cd '" + program.path("").string() +
                              "' && man --warnings -l localbatch.1 >shown 2>complaints";
  CHECK(std::system(command.c_str()) == 0);
  CHECK(text_of(program.path("complaints")).empty());
  CHECK(contains(text_of(program.path("shown")), "EXIT STATUS"));
}

TEST_CASE("bash completes commands, options, values and files") {
  const ProgramFixture program;
  std::ofstream(program.path("completion")) << program.run("--completion bash").out;
  fs::create_directory(program.path("tinies"));
  using Words = std::set<std::string>;
  CHECK(completed(program, {"localbatch", "de"}) == Words{"describe"});
  CHECK(completed(program, {"localbatch", "run", "--resume"}) ==
        Words{"--resume", "--resume-from"});
  CHECK(completed(program, {"localbatch", "run", "ti"}) == Words{"tiny.yaml", "tinies"});
  CHECK(completed(program, {"localbatch", "run", "--output", "ti"}) == Words{"tinies"});
  CHECK(completed(program, {"localbatch", "run", "--output", "=", "ti"}) == Words{"tinies"});
  CHECK(completed(program, {"localbatch", "run", "tiny.yaml", "--set", ""}).empty());
  CHECK(completed(program, {"localbatch", "bench", "--precision", ""}) ==
        Words{"f32", "bf16", "both"});
  for (const std::string& command : commands_of(program))
    CHECK(completed(program, {"localbatch", command, "--"}) == options_of(program, command));
}

TEST_CASE("zsh is told every option of every command") {
  const ProgramFixture program;
  const std::string script = program.run("--completion zsh").out;
  for (const std::string& command : commands_of(program)) {
    const std::size_t begin = script.find("\n  " + command + ")\n");
    CAPTURE(command);
    REQUIRE(begin != std::string::npos);
    const std::string part = script.substr(begin, script.find(";;", begin) - begin);
    for (const std::string& option : options_of(program, command))
      CHECK_MESSAGE(contains(part, option), option);
  }
}

TEST_CASE("a shell that has no completion is refused with those that have") {
  const ProgramFixture program;
  check_refused(program, "--completion fish", {"--completion", "'fish'", "bash", "zsh"});
  check_refused(program, "--completion", {"--completion", "''"});
}

}  // namespace localbatch
