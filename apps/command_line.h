#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace localbatch {

struct Results;

/// An option as the man page and the completions show it.
struct OptionHelp {
  std::string name;      ///< "output"
  std::string value;     ///< "DIR", empty for a flag
  std::string fallback;  ///< "results", empty for none
  std::string meaning;
  bool repeated = false;
};

/// What --help of a subcommand says.
struct CommandHelp {
  std::string usage;
  std::vector<OptionHelp> options;
};

/// Starts a subcommand only to hear what its --help says: its own declarations are the one table of
/// options.
CommandHelp help_of(int (*command)(std::span<const std::string>));

/// Reads the command line of a subcommand into variables. Options are declared in the order in
/// which
/// --help shows them. A mistake is an InputError that names `localbatch COMMAND --help`.
class CommandLine {
 public:
  explicit CommandLine(std::string command);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // An option with a value. A text that is not given stays empty.
  void option(const char* name, const char* placeholder, std::string& value, const char* meaning);
  void option(const char* name, const char* placeholder, std::vector<std::string>& values,
              const char* meaning);  ///< may be repeated
  void option(const char* name, const char* placeholder, std::optional<std::string>& value,
              const char* meaning);
  void option(const char* name, const char* placeholder, std::optional<int>& value,
              const char* meaning);
  void option(const char* name, const char* placeholder, std::optional<double>& value,
              const char* meaning);

  // An option whose variable holds its default, which --help shows.
  void default_option(const char* name, const char* placeholder, std::string& value,
                      const char* meaning);
  void default_option(const char* name, const char* placeholder, int& value, const char* meaning);
  void default_option(const char* name, const char* placeholder, std::int64_t& value,
                      const char* meaning);
  void default_option(const char* name, const char* placeholder, double& value, const char* meaning,
                      const char* shown_default = nullptr);

  /// An option without a value.
  void flag(const char* name, bool& value, const char* meaning);

  /// --set KEY=VALUE, which changes a key of the experiment file.
  void set_option(std::vector<std::string>& settings);

  // Words that belong to no option: at most one, or any number.
  void positional(const char* name, std::string& word);
  void positional(const char* name, std::vector<std::string>& words);

  /// Returns false after printing `usage` and the options, when only help was asked for.
  bool read(std::span<const std::string> arguments, const std::string& usage);

 private:
  struct Declared;
  std::string command_;
  std::unique_ptr<Declared> declared_;
};

/// Throws an InputError that names the command when no experiment file is given.
void require_file(std::string_view command, const std::string& file);

/// Throws an InputError for settings of --set where all sources are folders of runs, which nothing
/// changes any more.
void check_settings_change_a_file(std::string_view command, std::span<const std::string> settings,
                                  std::span<const std::string> sources);

/// Throws an InputError unless `path` can become a file: a command that writes it when its work is
/// done finds that out before. It must be none of the files that the command reads, nor lie among
/// those of a run.
void check_can_hold_a_file(std::string_view command, std::string_view option,
                           const std::string& path, std::span<const std::string> read = {});

/// Throws an InputError for a number of seconds or rounds below 0, or that is none.
void check_is_not_negative(std::string_view command, std::string_view option, double value);

/// Throws an InputError for an option that is given and no finite number above 0.
void check_is_positive(std::string_view command, std::string_view option,
                       std::optional<double> value);

/// Makes a folder for files that a command writes.
void make_folder(const std::string& folder);

/// The options by which `table`, `plot` and `report` choose results.
struct ResultOptions {
  std::vector<std::string> sources, settings;
  std::string output = "results";
  bool unfinished = false;

  void declare(CommandLine& line);

  /// Throws an InputError that names the command when there is no source.
  Results collect(std::string_view command) const;
};

}  // namespace localbatch
