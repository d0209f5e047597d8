#include "bench/machine_peak.h"

#include <malloc.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/stopwatch.h"
#include "core/vector.h"

namespace localbatch {

namespace {

/// As many chains of dependent multiply-adds as hide the latency of one (6 cycles, 2 of them at a
/// time) and still leave two registers for the factors where there are 16.
constexpr int kChains = 12;

/// The flop of some iterations of a kernel, and a number that depends on all of them, so that the
/// compiler cannot drop any.
struct KernelRun {
  double flop = 0;
  float witness = 0;
};
using Kernel = KernelRun (*)(int iterations, float seed);

float witness_of(const Vector (&chains)[kChains]) {
  Vector sum{};
  for (const Vector& chain : chains) sum += chain;
  return sum[0];
}

/// chain = chain * factor + summand with a fixed point near 1: neither overflow nor denormals.
KernelRun multiply_add_f32(int iterations, float seed) {
  const Vector factor = broadcast(0.5F + seed), summand = broadcast(0.5F);
  Vector chains[kChains];
  for (int i = 0; i < kChains; ++i) chains[i] = broadcast(static_cast<float>(i));
  for (int n = 0; n < iterations; ++n)
    for (Vector& chain : chains) chain = chain * factor + summand;
  return {2.0 * kChannelBlock * kChains * iterations, witness_of(chains)};
}

#if defined(__AVX512BF16__) && defined(__AVX512F__)
constexpr Kernel kBfloat16Kernel = [](int iterations, float seed) -> KernelRun {
  const __m512 ones = _mm512_set1_ps(1.0F + seed), small = _mm512_set1_ps(0x1p-16F);
  const __m512bh a = _mm512_cvtne2ps_pbh(ones, ones), b = _mm512_cvtne2ps_pbh(small, small);
  __m512 sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  for (int n = 0; n < iterations; ++n)
    for (__m512& sum : sums) sum = _mm512_dpbf16_ps(sum, a, b);
  Vector chains[kChains];
  for (int i = 0; i < kChains; ++i) chains[i] = reinterpret_cast<const Vector&>(sums[i]);
  return {4.0 * kChannelBlock * kChains * iterations, witness_of(chains)};
};
#else
constexpr Kernel kBfloat16Kernel = nullptr;
#endif

#if defined(__AMX_BF16__) && defined(__AMX_TILE__) && defined(__linux__)

/// Linux gives a process the registers that hold tiles when it asks for them, and the CPU may have
/// none.
bool may_use_tiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, its component
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

/// What LDTILECFG reads: here eight tiles of 16 rows of 64 bytes.
struct alignas(64) TileConfiguration {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

/// Four sums of products of tiles, 16 x 32 by 32 x 16: one can begin every 16 cycles, and one
/// takes 52.
KernelRun multiply_tiles(int iterations, float /*seed*/) {
  constexpr int kTileIterations = 16;  // of the other kernels take as long
  constexpr double kFlop = 4 * 2.0 * 16 * 32 * 16;
  alignas(64) std::uint16_t ones[16 * 32];
  std::ranges::fill(ones, std::uint16_t{0x3f80});  // 1 in bf16
  const TileConfiguration configuration;
  _tile_loadconfig(&configuration);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, ones, 64);
  _tile_loadd(5, ones, 64);
  const int times = iterations / kTileIterations;
  for (int n = 0; n < times; ++n) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  alignas(64) float sums[4][16 * 16];
  _tile_stored(0, sums[0], 64);
  _tile_stored(1, sums[1], 64);
  _tile_stored(2, sums[2], 64);
  _tile_stored(3, sums[3], 64);
  _tile_release();
  return {kFlop * times, sums[0][0] + sums[1][0] + sums[2][0] + sums[3][0]};
}

/// Tiles where there are some.
Kernel bfloat16_kernel() { return may_use_tiles() ? multiply_tiles : kBfloat16Kernel; }

#else

Kernel bfloat16_kernel() { return kBfloat16Kernel; }

#endif

/// One window: all threads start together; the last one to finish ends it.
double window_rate(Kernel kernel, int threads, int iterations) {
  std::barrier together(threads);
  std::vector<double> started(threads), ended(started);
  std::vector<KernelRun> runs(started.size());
  {
    std::vector<std::jthread> team;
    for (std::size_t t = 0; t < runs.size(); ++t)
      team.emplace_back([&, t] {
        together.arrive_and_wait();
        started[t] = monotonic_seconds();
        runs[t] = kernel(iterations, 0);
        ended[t] = monotonic_seconds();
      });
  }
  double flop = 0;
  for (const KernelRun& run : runs) {
    check(run.witness > 0, "sums of positive numbers are positive");
    flop += run.flop;
  }
  return flop / (std::ranges::max(ended) - std::ranges::min(started));
}

}  // namespace

std::optional<double> measure_peak(Precision precision, int threads) {
  const bool bfloat16 = precision == Precision::kBfloat16;
  if (bfloat16 && !supports_bfloat16()) return {};
  const Kernel kernel = bfloat16 ? bfloat16_kernel() : multiply_add_f32;
  if (kernel == nullptr) return {};
  // About 4 ms a window, so that some of them fit between two interruptions by the scheduler.
  constexpr int kIterations = 1'000'000, kFewestWindows = 3;
  constexpr double kLongest = 0.3;  // seconds
  const double started = monotonic_seconds();
  double best = 0;
  for (int window = 0; window < kFewestWindows || monotonic_seconds() - started < kLongest;
       ++window)
    best = std::max(best, window_rate(kernel, threads, kIterations));
  return best;
}

namespace {

std::size_t status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(key + ":")) continue;
    std::istringstream fields(line.substr(key.size() + 1));
    std::size_t kibibytes = 0;
    fields >> kibibytes;
    return kibibytes * 1024;
  }
  return 0;
}

}  // namespace

std::size_t resident_bytes() { return status_bytes("VmRSS"); }
std::size_t peak_resident_bytes() { return status_bytes("VmHWM"); }

void reset_peak_resident_bytes() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
  std::ofstream("/proc/self/clear_refs") << "5";
}

}  // namespace localbatch
