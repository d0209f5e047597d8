#include "completions.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

namespace localbatch {

namespace {

/// What a shell offers for the value of an option, by the word that stands for it in --help.
enum class Offer { kFiles, kFolders, kWords, kNothing };

Offer offer_for(std::string_view value) {
  if (value.find('|') != std::string_view::npos) return Offer::kWords;
  if (value.starts_with("FILE") || value == "CSV") return Offer::kFiles;
  return value == "DIR" ? Offer::kFolders : Offer::kNothing;
}

/// "auto|direct|winograd" with blanks in place of bars.
std::string words_of(std::string_view value) {
  std::string words(value);
  std::ranges::replace(words, '|', ' ');
  return words;
}

/// Of a command: the commands of bash that offer values, each with the options that it is for.
std::map<std::string, std::string> offers_of(const CommandPage& command) {
  std::map<std::string, std::string> offers;
  for (const OptionHelp& option : command.help.options) {
    if (option.value.empty()) continue;
    const Offer offer = offer_for(option.value);
    const std::string how = offer == Offer::kFiles     ? "_localbatch_files -f"
                            : offer == Offer::kFolders ? "_localbatch_files -d"
                            : offer == Offer::kWords
                                ? fmt::format("_localbatch_words '{}'", words_of(option.value))
                                : ":";
    std::string& options = offers[how];
    options += fmt::format("{}{}:--{}", options.empty() ? "" : " | ", command.name, option.name);
  }
  return offers;
}

constexpr std::string_view kBash =
    R"(# bash completion for localbatch, made by 'localbatch --completion bash'.
_localbatch_words() {{ mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word"); }}
_localbatch_files() {{
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$word")
}}
_localbatch() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}
  # bash takes '--output=DIR' for three words.
  if [ "$word" = = ]; then word=; elif [ "$before" = = ]; then before=${{COMP_WORDS[COMP_CWORD-2]}}; fi
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    _localbatch_words '{commands}'
    return
  fi
  case ${{COMP_WORDS[1]}}:$before in
{values}  --completion:*) _localbatch_words 'bash zsh' ;;
  *)
    case ${{COMP_WORDS[1]}}:$word in
{options}    *) _localbatch_files -f ;;
    esac ;;
  esac
}}
complete -F _localbatch localbatch
)";

/// Text in single quotes for zsh, where a colon or a bracket would end it.
std::string zsh_text(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'')
      quoted += "'\\''";
    else if (c == ':' || c == '[' || c == ']' || c == '\\')
      quoted += std::string("\\") + c;
    else
      quoted += c;
  }
  return quoted;
}

std::string zsh_argument(const OptionHelp& option) {
  std::string spec = fmt::format("{}--{}{}[{}]", option.repeated ? "*" : "", option.name,
                                 option.value.empty() ? "" : "=", zsh_text(option.meaning));
  if (option.value.empty()) return spec;
  const Offer offer = offer_for(option.value);
  const std::string action = offer == Offer::kFiles     ? "_files"
                             : offer == Offer::kFolders ? "_files -/"
                             : offer == Offer::kWords ? fmt::format("({})", words_of(option.value))
                                                      : " ";
  return fmt::format("{}:{}:{}", spec, zsh_text(option.value), action);
}

constexpr std::string_view kZsh = R"(#compdef localbatch
# zsh completion for localbatch, made by 'localbatch --completion zsh'.
_localbatch() {{
  local -a commands
  commands=(
{commands}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{options}  esac
}}
_localbatch "$@"
)";

}  // namespace

std::string bash_completion(const Manual& manual) {
  std::string commands, values, options;
  for (const MainOption& option : manual.options) commands += fmt::format("{} ", option.name);
  for (const CommandPage& command : manual.commands) {
    commands += command.name + " ";
    for (const auto& [how, names] : offers_of(command))
      values += fmt::format("  {}) {} ;;\n", names, how);
    options += fmt::format("    {}:-*) _localbatch_words '", command.name);
    for (const OptionHelp& option : command.help.options)
      options += fmt::format("--{} ", option.name);
    options += "' ;;\n";
  }
  return fmt::format(kBash, fmt::arg("commands", commands), fmt::arg("values", values),
                     fmt::arg("options", options));
}

std::string zsh_completion(const Manual& manual) {
  std::string commands, options;
  for (const CommandPage& command : manual.commands) {
    commands += fmt::format("    '{}:{}'\n", command.name, zsh_text(command.summary));
    options += fmt::format("  {})\n    _arguments \\\n", command.name);
    for (const OptionHelp& option : command.help.options)
      options += fmt::format("      '{}' \\\n", zsh_argument(option));
    options += "      '*:file:_files' ;;\n";
  }
  for (const MainOption& option : manual.options)
    commands += fmt::format("    '{}:{}'\n", option.name, zsh_text(option.meaning));
  return fmt::format(kZsh, fmt::arg("commands", commands), fmt::arg("options", options));
}

}  // namespace localbatch
