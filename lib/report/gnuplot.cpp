#include "report/gnuplot.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "core/files.h"
#include "report/gnuplot_script.h"

namespace localbatch {

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

/// In place, so that no other place in the file moves.
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
  const std::string errors = child < 0 ? std::string() : read_until_end(ends[0]);
  ::close(ends[0]);
  if (child < 0) fail_system("fork: {}", std::strerror(errno));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotFound)
    fail_input("gnuplot is not installed; Debian and Ubuntu have it in the package gnuplot-nox");
  fail_system("gnuplot {}: failed: {}", (folder / script).string(), errors);
}

void draw(const Figure& figure, const std::vector<std::string>& formats, const fs::path& folder) {
  const std::string name = name_of(figure.axes);
  write_file_atomically(folder / (name + ".csv"), data_of(figure));
  write_file_atomically(folder / (name + ".gp"), script_of(figure, formats));
  run_gnuplot(folder, name + ".gp");
  for (const std::string& format : formats) {
    const fs::path picture = folder / fmt::format("{}.{}", name, format);
    std::string bytes = read_text(picture);
    if (format != "pdf") continue;
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
