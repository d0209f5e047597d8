#pragma once

#include <string>
#include <vector>

#include "comm/process_group.h"

namespace localbatch {

/// Everybody's text in rank order, on every rank. Collective; for texts of a page or two.
std::vector<std::string> gather_texts(const std::string& mine, ProcessGroup& processes);

}  // namespace localbatch
