#include "nn/library_info.h"

#include <fmt/core.h>

#include <dnnl.hpp>

#include "nn/execution.h"
#include "nn/vector.h"

namespace localbatch {

std::string onednn_version() {
  const dnnl::version_t* const version = dnnl::version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

std::string onednn_instruction_set() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    default:
      return fmt::format("oneDNN instruction set {:#x}",
                         static_cast<unsigned>(dnnl::get_effective_cpu_isa()));
  }
}

bool supports_bfloat16() {
  // oneDNN has fast bf16 convolutions for blocks of 16 channels only.
  return kChannelBlock == 16 && __builtin_cpu_supports("avx512bf16") != 0;
}

}  // namespace localbatch
