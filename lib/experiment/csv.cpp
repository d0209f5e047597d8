#include "experiment/csv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace localbatch {

CsvFile::CsvFile(const std::filesystem::path& path, const std::vector<std::string>& header,
                 std::optional<std::uint64_t> size)
    : file_(size ? OutputFile(path, *size) : OutputFile(path)) {
  if (!size) write(header);
}

void CsvFile::write(const std::vector<std::string>& cells) {
  file_.write(fmt::format("{}\n", fmt::join(cells, ",")));
}

}  // namespace localbatch
