#include "experiment/csv.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace localbatch {

CsvFile::CsvFile(const std::filesystem::path& path, const std::vector<std::string>& header)
    : path_(path), stream_(path, std::ios::binary | std::ios::trunc) {
  if (!stream_) fail_system("{}: cannot be written: {}", path.string(), std::strerror(errno));
  write(header);
}

void CsvFile::write(const std::vector<std::string>& cells) {
  stream_ << fmt::format("{}\n", fmt::join(cells, ","));
  stream_.flush();
  if (!stream_) fail_system("{}: cannot be written: {}", path_.string(), std::strerror(errno));
}

}  // namespace localbatch
