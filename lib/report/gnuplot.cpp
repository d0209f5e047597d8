#include "report/gnuplot.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "report/axes.h"

namespace localbatch {

namespace {

/// The colours of Okabe and Ito, without yellow, which is hard to see on white.
constexpr std::array<const char*, 7> kColours{"#0072B2", "#D55E00", "#009E73", "#000000",
                                              "#CC79A7", "#E69F00", "#56B4E9"};
/// Gnuplot's dashes and points; their numbers have no common factor with that of the colours.
constexpr std::array<int, 5> kDashes{1, 2, 4, 5, 3};
constexpr std::array<int, 8> kPoints{7, 5, 9, 4, 6, 8, 2, 1};

constexpr int kPanelWidth = 320, kPanelHeight = 250, kHead = 26, kFoot = 56, kGap = 34,
              kKeyLine = 19, kTitle = 36, kLetter = 7, kDigit = 10;

/// A text for gnuplot. In single quotes everything stands for itself, but a quote in them is not
/// read right inside of braces; so other texts are in double quotes, with numbers for what is
/// special there. A number below \100 would swallow a digit behind it.
std::string quoted(const std::string& text) {
  const std::string shown = printable(text);
  const auto is_plain = [](unsigned char c) {
    return c >= 0x80 || std::isalnum(c) != 0 ||
           std::string_view(" ,.:;=()[]<>%+-*/_").find(static_cast<char>(c)) !=
               std::string_view::npos;
  };
  if (std::ranges::all_of(shown, is_plain)) return "'" + shown + "'";
  std::string quoted = "\"";
  for (const char c : shown) {
    if (is_plain(static_cast<unsigned char>(c)) || (c < '@' && c != '"'))
      quoted += c;
    else
      quoted += c == '"' ? std::string("\\\"") : fmt::format("\\{:o}", static_cast<int>(c));
  }
  return quoted + "\"";
}

/// A line of a script that gnuplot skips; a backslash at its end would make it skip the next one.
std::string comment(const std::string& text) {
  const std::string shown = printable(text);
  return fmt::format("# {}{}\n", shown, shown.ends_with('\\') ? " ." : "");
}

std::string line_style(std::size_t row) {
  return fmt::format("linecolor rgb '{}' dashtype {} pointtype {}", kColours[row % kColours.size()],
                     kDashes[row % kDashes.size()], kPoints[row % kPoints.size()]);
}

/// "norm test (H = 8: 2 of 3 seeds)".
std::string key_text(const Figure& figure, std::size_t row) {
  std::vector<std::string> notes;
  for (const Series& series : figure.series)
    if (series.row == row && !series.note.empty())
      notes.push_back(figure.groups[series.group] + ": " + series.note);
  if (notes.empty()) return figure.rows[row];
  return fmt::format("{} ({})", figure.rows[row], join(notes, "; "));
}

/// The rows that have a line in some panel.
std::vector<std::size_t> drawn_rows(const Figure& figure) {
  std::vector<std::size_t> rows;
  for (std::size_t row = 0; row < figure.rows.size(); ++row)
    if (std::ranges::find(figure.series, row, &Series::row) != figure.series.end())
      rows.push_back(row);
  return rows;
}

bool has_bands(const Figure& figure) {
  return std::ranges::any_of(figure.series, [](const Series& series) { return series.band.n > 1; });
}

/// Where things stand on the picture, in pixels from its lower left corner.
class Layout {
 public:
  explicit Layout(const Figure& figure) {
    const auto panels = static_cast<int>(figure.groups.size());
    columns_ = panels == 4 ? 2 : std::clamp(panels, 1, 3);
    rows_ = std::max(1, (panels + columns_ - 1) / columns_);
    left_ = std::max(76, 48 + kDigit * longest_y_label(figure));
    width_ = left_ + columns_ * (kPanelWidth + kGap) + kGap;
    const bool bands = has_bands(figure);
    std::size_t longest = bands ? figure.band_text.size() : 0;
    const std::vector<std::size_t> rows = drawn_rows(figure);
    for (const std::size_t row : rows) longest = std::max(longest, key_text(figure, row).size());
    longest_key_text_ = static_cast<int>(longest);
    key_columns_ = std::max(1, width_ / (longest_key_text_ * kLetter + 60));
    const int entries = static_cast<int>(rows.size()) + (bands ? 1 : 0);
    key_ = kKeyLine * ((entries + key_columns_ - 1) / key_columns_ + 1);
    height_ = rows_ * (kPanelHeight + kHead + kFoot) + key_ + kTitle;
  }

  int width() const { return width_; }
  int height() const { return height_; }
  int key_columns() const { return key_columns_; }
  int longest_key_text() const { return longest_key_text_; }
  bool is_first_in_row(int panel) const { return panel % columns_ == 0; }
  double key_top() const { return static_cast<double>(key_) / height_; }

  std::string margins(int panel) const {
    const int left = left_ + panel % columns_ * (kPanelWidth + kGap);
    const int bottom =
        key_ + kFoot + (rows_ - 1 - panel / columns_) * (kPanelHeight + kHead + kFoot);
    return fmt::format(
        "  set lmargin at screen {:.5f}\n  set rmargin at screen {:.5f}\n"
        "  set bmargin at screen {:.5f}\n  set tmargin at screen {:.5f}\n",
        static_cast<double>(left) / width_, static_cast<double>(left + kPanelWidth) / width_,
        static_cast<double>(bottom) / height_,
        static_cast<double>(bottom + kPanelHeight) / height_);
  }

 private:
  int columns_ = 1, rows_ = 1, left_ = 1, width_ = 1, height_ = 1, key_columns_ = 1, key_ = 1,
      longest_key_text_ = 0;
};

std::string plot_of_panel(const Figure& figure, std::size_t group) {
  std::vector<std::string> bands, lines;
  for (std::size_t i = 0; i < figure.series.size(); ++i) {
    const Series& series = figure.series[i];
    if (series.group != group) continue;
    if (series.band.n > 1)
      bands.push_back(
          fmt::format("data using ($1=={}?$4:NaN):6:7 with filledcurves linecolor rgb '{}' "
                      "fillstyle transparent solid 0.18 noborder",
                      i + 1, kColours[series.row % kColours.size()]));
    lines.push_back(fmt::format(
        "data using ($1=={}?$4:NaN):5 with linespoints {} linewidth 1.6 pointsize 0.6 "
        "pointinterval {}",
        i + 1, line_style(series.row), std::max<std::size_t>(1, series.band.x.size() / 10)));
  }
  bands.insert(bands.end(), lines.begin(), lines.end());
  if (bands.empty()) return "  plot NaN\n";
  return fmt::format("  plot {}\n", join(bands, ", \\\n       "));
}

std::string plot_of_key(const Figure& figure, const Layout& layout) {
  // On a PNG gnuplot takes letters for a fifth wider than they are, and so has room for less of
  // them beside each other than this layout counts with.
  std::string plot = fmt::format(
      "  # What all panels have in common.\n"
      "  set lmargin at screen 0\n  set rmargin at screen 1\n"
      "  set bmargin at screen 0\n  set tmargin at screen {:.5f}\n"
      "  unset border\n  unset tics\n  unset xlabel\n  unset ylabel\n  unset title\n"
      "  unset grid\n  unset logscale\n  set yrange [0:1]\n"
      "  set key center center horizontal maxcols {} Left reverse noenhanced samplen 5 font ',10' "
      "width (format eq 'png' ? -{} : 0)\n"
      "  plot [0:1] -1 notitle",
      layout.key_top(), layout.key_columns(), layout.longest_key_text() / 5);
  for (const std::size_t row : drawn_rows(figure))
    plot += fmt::format(", \\\n       keyentry with linespoints {} linewidth 1.6 title {}",
                        line_style(row), quoted(key_text(figure, row)));
  if (has_bands(figure))
    plot += fmt::format(
        ", \\\n       keyentry with boxes linecolor rgb '#808080' fillstyle transparent solid 0.3 "
        "noborder title '{}'",
        figure.band_text);
  return plot + "\n";
}

/// The title, as far as the picture has room for it.
std::string title_of(const Figure& figure, const Layout& layout) {
  const auto room = static_cast<std::size_t>(layout.width() / (kLetter + 3));
  std::string title = figure.title;
  if (title.size() <= room) return title;
  title.resize(room);
  while (!title.empty() && (static_cast<unsigned char>(title.back()) & 0x80U) != 0)
    title.pop_back();  // a character of several bytes may have been cut
  return title + " ...";
}

}  // namespace

std::string name_of(const FigureAxes& axes) {
  const std::string name = axes.y + "_against_" + axes.x;
  return axes.smooth > 1 ? fmt::format("{}_smooth_{}", name, axes.smooth) : name;
}

std::string script_of(const Figure& figure, const std::vector<std::string>& formats) {
  const Layout layout(figure);
  const XAxis x = x_axis(figure);
  const std::string name = name_of(figure.axes);
  std::string script = fmt::format("# Draws {0} from {0}.csv: gnuplot {0}.gp\n", name);
  for (const std::string& remark : figure.remarks) script += comment(remark);
  script += fmt::format("data = '{}.csv'\nset datafile separator ','\n", name);
  script += fmt::format("do for [format in '{}'] {{\n  reset\n", join(formats, " "));
  script += fmt::format(
      "  if (format eq 'svg') {{ set terminal svg size {0},{1} font 'sans-serif,12' background "
      "'#ffffff' }}\n"
      "  if (format eq 'png') {{ set terminal pngcairo size {2},{3} font 'sans-serif,12' fontscale "
      "2 linewidth 2 pointscale 2 background '#ffffff' }}\n"
      "  if (format eq 'pdf') {{ set terminal pdfcairo size {4:.3f}in,{5:.3f}in font "
      "'sans-serif,9' background '#ffffff' }}\n",
      layout.width(), layout.height(), 2 * layout.width(), 2 * layout.height(),
      layout.width() / 96.0, layout.height() / 96.0);
  script += fmt::format(
      "  set datafile separator ','\n  set output '{}.'.format\n  set multiplot title {} "
      "noenhanced font "
      "',13'\n"
      "  unset key\n  set grid linecolor rgb '#d0d0d0' linewidth 0.5 dashtype 1\n"
      "  set border 3\n  set tics nomirror\n  set xlabel {}\n{}{}",
      name, quoted(title_of(figure, layout)), quoted(scale_of(figure.axes.x).title), x.common,
      y_axis(figure));
  for (std::size_t group = 0; group < figure.groups.size(); ++group) {
    const auto panel = static_cast<int>(group);
    script += "  " + comment(figure.groups[group]);
    script += layout.margins(panel);
    script += x.panels[group];
    script +=
        fmt::format("  set title {} noenhanced offset 0,-0.6\n", quoted(figure.groups[group]));
    script += layout.is_first_in_row(panel)
                  ? fmt::format("  set ylabel {} noenhanced\n  set format y '%g'\n",
                                quoted(scale_of(figure.axes.y).title))
                  : "  unset ylabel\n  set format y ''\n";
    script += plot_of_panel(figure, group);
  }
  script += plot_of_key(figure, layout);
  return script + "  unset multiplot\n  unset output\n}\n";
}

namespace fs = std::filesystem;

namespace {

constexpr int kNotFound = 127;  ///< as shells have it

[[noreturn]] void become_gnuplot(const char* folder, const char* script, int errors) {
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nowhere < 0 || ::chdir(folder) != 0) ::_exit(1);
  ::dup2(nowhere, STDIN_FILENO);
  ::dup2(nowhere, STDOUT_FILENO);
  ::dup2(errors, STDERR_FILENO);
  ::execlp("gnuplot", "gnuplot", script, static_cast<char*>(nullptr));
  ::_exit(errno == ENOENT ? kNotFound : 1);
}

std::string read_until_end(int descriptor) {
  std::string text;
  std::array<char, 4096> part{};
  while (true) {
    const ssize_t size = ::read(descriptor, part.data(), part.size());
    if (size > 0) text.append(part.data(), static_cast<std::size_t>(size));
    if (size == 0 || (size < 0 && errno != EINTR)) return text;
  }
}

/// In place, so that no other place in the file moves. From version 1.18 on cairo compresses the
/// date together with other things, and it stays.
void replace_date(std::string& pdf) {
  const std::string_view key = "/CreationDate (D:", date = "20000101000000";
  const std::size_t found = pdf.find(key);
  if (found != std::string::npos && found + key.size() + date.size() <= pdf.size())
    pdf.replace(found + key.size(), date.size(), date);
}

/// A folder that goes away.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "localbatch-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      fail_system("{}: cannot be made: {}", pattern, std::strerror(errno));
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void replace_all(std::string& text, const std::string& old, const std::string& replacement) {
  for (std::size_t at = text.find(old); at != std::string::npos;
       at = text.find(old, at + replacement.size()))
    text.replace(at, old.size(), replacement);
}

}  // namespace

void run_gnuplot(const fs::path& folder, const std::string& script) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail_system("pipe2: {}", std::strerror(errno));
  const std::string where = folder.string();
  const pid_t child = ::fork();
  if (child == 0) become_gnuplot(where.c_str(), script.c_str(), ends[1]);
  ::close(ends[1]);
  std::string errors = child < 0 ? std::string() : read_until_end(ends[0]);
  ::close(ends[0]);
  if (child < 0) fail_system("fork: {}", std::strerror(errno));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotFound)
    fail_input("gnuplot is not installed; Debian and Ubuntu have it in the package gnuplot-nox");
  std::ranges::replace(errors, '\n', ' ');
  fail_system("gnuplot {}: failed: {}", (folder / script).string(), errors);
}

void draw(const Figure& figure, const std::vector<std::string>& formats, const fs::path& folder) {
  const std::string name = name_of(figure.axes);
  write_file_atomically(folder / (name + ".csv"), data_of(figure));
  write_file_atomically(folder / (name + ".gp"), script_of(figure, formats));
  run_gnuplot(folder, name + ".gp");
  for (const std::string& format : formats) {
    if (format != "pdf") continue;
    const fs::path picture = folder / (name + ".pdf");
    std::string bytes = read_text(picture);
    replace_date(bytes);
    write_file_atomically(picture, bytes);
  }
}

std::string inline_svg(const Figure& figure, const std::string& prefix) {
  const TemporaryFolder folder;
  draw(figure, {"svg"}, folder.path());
  std::string svg = read_text(folder.path() / (name_of(figure.axes) + ".svg"));
  const std::size_t begin = svg.find("<svg");
  check(begin != std::string::npos, "gnuplot's SVG has an svg element");
  svg.erase(0, begin);
  for (const char* const name : {"id='", "id=\"", "href='#", "href=\"#", "url(#"})
    replace_all(svg, name, name + prefix);
  return svg;
}

}  // namespace localbatch
