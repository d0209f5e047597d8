#!/bin/sh
# Installs the Debian or Ubuntu packages that are missing, saying which, with sudo when not root.
# Usage: install_packages.sh [build|clang|slurm|ci|aarch64]
set -eu

packages="g++ cmake make ninja-build pkg-config git libdnnl-dev libopenmpi-dev openmpi-bin libyaml-cpp-dev
  libfmt-dev libboost-program-options-dev libxxhash-dev nlohmann-json3-dev doctest-dev zlib1g-dev
  libjpeg-dev ocl-icd-opencl-dev gnuplot-nox python3-jsonschema python3-yaml"
case ${1:-build} in
  clang) packages="clang libclang-rt-dev libomp-dev clang-format clang-tidy" ;;
  ci) packages="ccache mpich libmpich-dev qemu-user-static" ;;
  aarch64) packages="g++-aarch64-linux-gnu qemu-user-static debootstrap" ;;
  slurm) packages="slurmctld slurmd slurm-client munge libpmix-dev" ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "No Debian package manager here; localbatch needs the equivalents of:" $packages
  exit 0
fi

missing=""
for package in $packages; do
  status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  as_root="sudo"
fi
echo "Installing with apt:$missing"
$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
