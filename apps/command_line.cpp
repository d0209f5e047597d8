#include "command_line.h"

#include <algorithm>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/variables_map.hpp>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "commands.h"
#include "core/error.h"
#include "core/files.h"
#include "report/results.h"

namespace localbatch {

namespace {

namespace po = boost::program_options;

/// Stores the value only if the option is given.
template <class Value>
po::typed_value<Value>* given(std::optional<Value>& target) {
  return po::value<Value>()->notifier([&target](const Value& value) { target = value; });
}

/// The word to which read() answers with the help itself; for anybody else it is an option that
/// does not exist.
constexpr const char* kWantsHelp = "--help-of-command";

struct WantedHelp : InputError {
  WantedHelp(const std::string& command, CommandHelp wanted)
      : InputError(fmt::format("{0}: unrecognised option '{1}'; see 'localbatch {0} --help'",
                               command, kWantsHelp)),
        help(std::move(wanted)) {}
  CommandHelp help;
};

OptionHelp option_help(const po::option_description& option) {
  const po::value_semantic& semantic = *option.semantic();
  OptionHelp help{.name = option.long_name(),
                  .value = option.format_parameter(),  // "DIR (=results)"
                  .fallback = {},
                  .meaning = option.description(),
                  .repeated = semantic.is_composing()};
  if (const std::size_t begin = help.value.find(" (="); begin != std::string::npos) {
    help.fallback = help.value.substr(begin + 3, help.value.size() - begin - 4);
    help.value.resize(begin);
  }
  return help;
}

}  // namespace

struct CommandLine::Declared {
  po::options_description visible{"options"}, hidden;
  po::positional_options_description places;

  void add(const char* name, const po::value_semantic* value, const char* meaning) {
    visible.add_options()(name, value, meaning);
  }
};

CommandLine::CommandLine(std::string command)
    : command_(std::move(command)), declared_(std::make_unique<Declared>()) {
  declared_->visible.add_options()("help,h", "print this text");
}

CommandLine::~CommandLine() = default;

void CommandLine::option(const char* name, const char* placeholder, std::string& value,
                         const char* meaning) {
  declared_->add(name, po::value(&value)->value_name(placeholder), meaning);
}

void CommandLine::option(const char* name, const char* placeholder,
                         std::vector<std::string>& values, const char* meaning) {
  declared_->add(name, po::value(&values)->value_name(placeholder)->composing(), meaning);
}

void CommandLine::option(const char* name, const char* placeholder,
                         std::optional<std::string>& value, const char* meaning) {
  declared_->add(name, given(value)->value_name(placeholder), meaning);
}

void CommandLine::option(const char* name, const char* placeholder, std::optional<int>& value,
                         const char* meaning) {
  declared_->add(name, given(value)->value_name(placeholder), meaning);
}

void CommandLine::option(const char* name, const char* placeholder, std::optional<double>& value,
                         const char* meaning) {
  declared_->add(name, given(value)->value_name(placeholder), meaning);
}

void CommandLine::default_option(const char* name, const char* placeholder, std::string& value,
                                 const char* meaning) {
  declared_->add(name, po::value(&value)->value_name(placeholder)->default_value(value), meaning);
}

void CommandLine::default_option(const char* name, const char* placeholder, int& value,
                                 const char* meaning) {
  declared_->add(name, po::value(&value)->value_name(placeholder)->default_value(value), meaning);
}

void CommandLine::default_option(const char* name, const char* placeholder, std::int64_t& value,
                                 const char* meaning) {
  declared_->add(name, po::value(&value)->value_name(placeholder)->default_value(value), meaning);
}

void CommandLine::default_option(const char* name, const char* placeholder, double& value,
                                 const char* meaning, const char* shown_default) {
  auto* const semantic = po::value(&value)->value_name(placeholder);
  if (shown_default == nullptr)
    semantic->default_value(value);
  else
    semantic->default_value(value, shown_default);
  declared_->add(name, semantic, meaning);
}

void CommandLine::flag(const char* name, bool& value, const char* meaning) {
  declared_->add(name, po::bool_switch(&value), meaning);
}

void CommandLine::set_option(std::vector<std::string>& settings) {
  option("set", "KEY=VALUE", settings,
         "change a key of the experiment file, such as batch_size_controller.eta=0.9; may be "
         "repeated");
}

void CommandLine::positional(const char* name, std::string& word) {
  declared_->hidden.add_options()(name, po::value(&word));
  declared_->places.add(name, 1);
}

void CommandLine::positional(const char* name, std::vector<std::string>& words) {
  declared_->hidden.add_options()(name, po::value(&words));
  declared_->places.add(name, -1);
}

bool CommandLine::read(std::span<const std::string> arguments, const std::string& usage) {
  if (arguments.size() == 1 && arguments.front() == kWantsHelp) {
    CommandHelp help{.usage = usage, .options = {}};
    for (const auto& option : declared_->visible.options())
      help.options.push_back(option_help(*option));
    throw WantedHelp(command_, std::move(help));
  }
  po::options_description all;
  all.add(declared_->visible).add(declared_->hidden);
  po::variables_map found;
  try {
    po::store(po::command_line_parser({arguments.begin(), arguments.end()})
                  .options(all)
                  .positional(declared_->places)
                  .run(),
              found);
    po::notify(found);
  } catch (const po::error& error) {
    fail_input("{0}: {1}; see 'localbatch {0} --help'", command_, error.what());
  }
  if (found.count("help") == 0) return true;
  std::ostringstream options;
  options << declared_->visible;
  print("{}\n{}", usage, options.str());
  return false;
}

CommandHelp help_of(int (*command)(std::span<const std::string>)) {
  const std::vector<std::string> arguments{kWantsHelp};
  try {
    command(arguments);
  } catch (WantedHelp& wanted) {
    return std::move(wanted.help);
  }
  internal_error("each command reads its words by a CommandLine");
}

void require_file(std::string_view command, const std::string& file) {
  if (file.empty())
    fail_input("{0}: an experiment file is missing; see 'localbatch {0} --help'", command);
}

void check_settings_change_a_file(std::string_view command, std::span<const std::string> settings,
                                  std::span<const std::string> sources) {
  const auto is_folder = [](const std::string& source) {
    std::error_code none;
    return std::filesystem::is_directory(source, none);
  };
  if (!settings.empty() && std::ranges::all_of(sources, is_folder))
    fail_input("{}: --set: found with folders alone, expected an experiment file that it changes",
               command);
}

void check_can_hold_a_file(std::string_view command, std::string_view option,
                           const std::string& path, std::span<const std::string> read) {
  const std::filesystem::path file = path;
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  std::error_code none;
  for (const std::string& source : read)
    if (std::filesystem::equivalent(source, file, none))
      fail_input("{}: --{}: found '{}', which is read, expected another file", command, option,
                 path);
  if (is_there(folder / "experiment.yaml"))
    fail_input("{}: --{}: found '{}', which lies in the folder of a run, expected another one",
               command, option, path);
  const bool is_something_else =
      std::filesystem::exists(file, none) && !std::filesystem::is_regular_file(file, none);
  if (file.filename().empty() || is_something_else || !std::filesystem::is_directory(folder))
    fail_input("{}: --{}: found '{}', allowed is a file in a folder that exists", command, option,
               path);
}

void check_is_not_negative(std::string_view command, std::string_view option, double value) {
  if (!(value >= 0 && std::isfinite(value)))
    fail_input("{}: --{}: found {}, expected 0 or more", command, option, value);
}

void check_is_positive(std::string_view command, std::string_view option,
                       std::optional<double> value) {
  if (value && !(*value > 0 && std::isfinite(*value)))
    fail_input("{}: --{}: found {}, expected a positive number", command, option, *value);
}

void make_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail_input("{}: cannot be made: {}", folder, error.message());
}

void ResultOptions::declare(CommandLine& line) {
  line.positional("source", sources);
  line.default_option("output", "DIR", output,
                      "where the results of an experiment FILE are, as run and status have it");
  line.set_option(settings);
  line.flag("unfinished", unfinished,
            "where no run of a cell has finished, show those that have begun, marked as such");
}

Results ResultOptions::collect(std::string_view command) const {
  if (sources.empty())
    fail_input("{0}: an experiment file or a folder is missing; see 'localbatch {0} --help'",
               command);
  check_settings_change_a_file(command, settings, sources);
  return collect_results({.sources = {sources.begin(), sources.end()},
                          .settings = settings,
                          .output = output,
                          .unfinished = unfinished});
}

}  // namespace localbatch
