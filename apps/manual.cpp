#include "manual.h"

#include <fmt/core.h>

#include <sstream>

#include "core/machine.h"

namespace localbatch {

namespace {

/// A line of text as roff reads it: no character of it is a request or an escape.
std::string roff(std::string_view text) {
  std::string escaped;
  if (text.starts_with('.') || text.starts_with('\'')) escaped = "\\&";
  for (const char c : text) {
    if (c == '\\')
      escaped += "\\e";
    else if (c == '-')
      escaped += "\\-";
    else
      escaped += c;
  }
  return escaped;
}

/// Lines that stay as they are.
std::string verbatim(std::string_view text) {
  std::string page = ".nf\n";
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) page += roff(line) + "\n";
  return page + ".fi\n";
}

std::string entry(std::string_view name, std::string_view value, const std::string& meaning) {
  return fmt::format(".TP\n.B {}{}\n{}\n", roff(name),
                     value.empty() ? "" : " \\fI" + roff(value) + "\\fR", roff(meaning));
}

std::string section_of(const CommandPage& command) {
  std::string page = fmt::format(".SS {}\n{}.\n.PP\n{}", roff(command.name), roff(command.summary),
                                 verbatim(command.help.usage));
  for (const OptionHelp& option : command.help.options)
    page += entry("--" + option.name, option.value,
                  option.fallback.empty()
                      ? option.meaning
                      : fmt::format("{} (default: {})", option.meaning, option.fallback));
  return page;
}

constexpr std::string_view kFiles = R"(.SH ENVIRONMENT
.TP
.B LOCALBATCH_DATA
the folder that stands in for a leading data/ in experiment files
.SH FILES
.TP
.I PREFIX/share/localbatch/experiments
experiment files to start from, batch scripts for Slurm, and what they are about; PREFIX is what
the program was installed into
.TP
.I PREFIX/share/modulefiles
for the command module: module use PREFIX/share/modulefiles; module load localbatch
.SH SEE ALSO
.BR mpirun (1),
.BR gnuplot (1)
)";

}  // namespace

std::string man_page(const Manual& manual) {
  std::string page = fmt::format(
      ".TH LOCALBATCH 1 \"\" \"localbatch {}\" \"User Commands\"\n"
      ".SH NAME\nlocalbatch \\- {}\n"
      ".SH SYNOPSIS\n.nf\n\\fBlocalbatch\\fR \\fICOMMAND\\fR ...\n"
      "\\fBmpirun\\fR \\-np \\fIRANKS\\fR \\fBlocalbatch run\\fR \\fIFILE\\fR\n.fi\n"
      ".SH OPTIONS\n",
      roff(build_info().version), roff(manual.title));
  for (const MainOption& option : manual.options)
    page += entry(option.name, option.value, std::string(option.meaning));
  page += ".SH COMMANDS\n";
  for (const CommandPage& command : manual.commands) page += section_of(command);
  page += ".SH EXIT STATUS\n" + verbatim(manual.exit_statuses);
  return page + std::string(kFiles);
}

}  // namespace localbatch
