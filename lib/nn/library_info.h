#pragma once

#include <string>

namespace localbatch {

/// "2.6.3", and the instruction set that oneDNN uses on this CPU, "avx512_core_bf16" say.
std::string onednn_version();
std::string onednn_instruction_set();

}  // namespace localbatch
