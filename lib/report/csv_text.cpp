#include "report/csv_text.h"

#include <sstream>

#include "core/error.h"
#include "core/files.h"

namespace localbatch {

namespace {

/// Whether the quotes of the line are closed.
bool split(const std::string& line, std::vector<std::string>& cells) {
  cells.assign(1, "");
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += line[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return !quoted;
}

}  // namespace

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (const std::string& cell : cells) {
    if (!line.empty() || &cell != cells.data()) line += ',';
    if (cell.find_first_of(",\"\r\n") == std::string::npos) {
      line += cell;
      continue;
    }
    line += '"';
    for (const char c : cell) {
      line += c;
      if (c == '"') line += '"';
    }
    line += '"';
  }
  return line + '\n';
}

std::vector<CsvLine> read_csv_lines(const std::filesystem::path& path) {
  std::istringstream stream(read_text(path));
  std::vector<CsvLine> lines;
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    CsvLine& read = lines.emplace_back(CsvLine{.number = number, .cells = {}});
    if (!split(line, read.cells))
      fail_input("{}:{}: a quote does not end on this line", path.string(), number);
  }
  return lines;
}

}  // namespace localbatch
