#!/usr/bin/env bash
# A program that was built for AVX-512, on a CPU without it: one line and status 2, before anything else runs. The
# emulator's CPU stands in for that one, and does not have AVX-512 whatever the machine at hand has.
#   instruction_check_test.sh COMPILER SOURCE_DIR
set -euo pipefail
compiler=$1 sources=$2
emulator=$(command -v qemu-x86_64-static || command -v qemu-x86_64 || true)
if [ -z "$emulator" ] || [ "$(uname -m)" != x86_64 ]; then
  echo "skipped: no qemu-x86_64 here (Debian's qemu-user-static)"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# A static object, which is made before main: an AVX-512 register is used for it.
cat >"$folder/main.cpp" <<'END'
#include <cstdio>
volatile float zero = 0;
struct Early {
  float values[64];
  Early() { for (float& value : values) value = zero + 1; }
} early;
int main() { std::printf("started %g\n", early.values[63]); }
END
build() {
  "$compiler" -std=c++20 -O3 -static "-march=$1" -I"$sources/lib" "$sources/apps/instruction_check.cpp" \
    "$folder/main.cpp" -o "$folder/$1"
}
build x86-64-v4
build x86-64-v3

status=0
said=$("$emulator" -cpu Haswell "$folder/x86-64-v4" 2>&1 | grep -v 'TCG doesn' || true)
"$emulator" -cpu Haswell "$folder/x86-64-v4" >/dev/null 2>&1 || status=$?
[ "$status" = 2 ] || { echo "status $status, expected 2: $said" >&2; exit 1; }
[ "$(wc -l <<<"$said")" = 1 ] || { echo "expected one line: $said" >&2; exit 1; }
[[ $said == *"built for CPUs with avx512f, which this one lacks"* ]] || { echo "found: $said" >&2; exit 1; }

started=$("$emulator" -cpu Haswell "$folder/x86-64-v3" 2>/dev/null)
[ "$started" = "started 1" ] || { echo "what the CPU has was refused: $started" >&2; exit 1; }
