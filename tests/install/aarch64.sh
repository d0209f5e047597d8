#!/usr/bin/env bash
# Cross-compiles for 64-bit Arm, and runs tests and a small experiment under qemu's emulation of one process:
#   aarch64.sh SYSROOT        (a folder; 2 GB of Debian's packages are unpacked there, once)
# As root on Debian or Ubuntu. Packages are unpacked and not configured, so nothing of Arm's runs before our tests do.
set -euo pipefail
sysroot=$(realpath -m "$1")
cd "$(dirname "$0")/../.."

if [ ! -e "$sysroot/.complete" ]; then
  # shellcheck disable=SC1091
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  packages=libdnnl-dev,libopenmpi-dev,openmpi-bin,libyaml-cpp-dev,libfmt-dev,libboost-program-options-dev,libxxhash-dev
  packages=$packages,nlohmann-json3-dev,doctest-dev,zlib1g-dev,libjpeg-dev,ocl-icd-opencl-dev,libgomp1
  rm -rf "$sysroot"
  debootstrap --arch=arm64 --foreign --variant=minbase --include="$packages" "$suite" "$sysroot" \
    "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
  for package in "$sysroot"/var/cache/apt/archives/*.deb; do
    dpkg -x "$package" "$sysroot"
  done
  # A link that begins at the root of the target would lead into this machine's.
  find "$sysroot" -type l -lname '/*' | while read -r link; do
    ln -sfnr "$sysroot$(readlink "$link")" "$link"
  done
  touch "$sysroot/.complete"
fi

libraries=$sysroot/usr/lib/aarch64-linux-gnu
# The compiler of the target's MPI would have to run to be asked for its flags.
cmake -S . -B build/aarch64 -DCMAKE_TOOLCHAIN_FILE=third_party/aarch64.cmake -DLOCALBATCH_SYSROOT="$sysroot" \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=16 \
  -DLOCALBATCH_MARCH=armv8-a -DLOCALBATCH_WERROR=ON -DBUILD_TESTING=ON \
  -DMPI_CXX_COMPILER=MPI_CXX_COMPILER-NOTFOUND -DMPI_CXX_HEADER_DIR="$libraries/openmpi/include" \
  -DMPI_CXX_LIB_NAMES=mpi -DMPI_mpi_LIBRARY="$libraries/openmpi/lib/libmpi.so"
rooms=(core batching optim comm train)
targets=()
for room in "${rooms[@]}"; do targets+=("localbatch_${room}_tests"); done
cmake --build build/aarch64 -j "$(nproc)" --target localbatch "${targets[@]}"

# A process that no launcher started would start a daemon of Arm's, which this machine cannot do without the emulator.
emulated() {
  qemu-aarch64-static -L "$sysroot" -E LD_LIBRARY_PATH="$libraries" -E OPAL_PREFIX="$sysroot/usr" \
    -E OMPI_MCA_ess_singleton_isolated=1 "$@"
}
# Means over thousands of steps, which take an hour there.
long="at one point workers*,without batch norm single samples*,every kind of chunks finds*,divisor J makes*"
long="$long,samples of a micro-batch taken*"
for room in "${rooms[@]}"; do
  echo "== $room"
  emulated "build/aarch64/tests/localbatch_${room}_tests" --test-case-exclude="$long"
done

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
emulated build/aarch64/apps/localbatch run experiments/demo.yaml --set max_samples=64 --set batch_size.micro_batch=8 \
  --set evaluation.every_samples=64 --set dataset.test_samples=8 --set dataset.train_samples=64 --output "$results"
grep -q '"outcome": "finished"' "$results"/*/*/summary.json
echo "aarch64: the tests of ${rooms[*]} and a run have passed"
