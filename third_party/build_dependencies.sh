#!/usr/bin/env bash
# Builds the libraries that localbatch needs and cmake does not find into a folder of yours. It takes a compiler, cmake,
# make and MPI; no root, and no package manager. Static libraries, so that a program needs nothing from the folder.
#   third_party/build_dependencies.sh PREFIX [--sources DIR] [--download] [--all] [LIBRARY...]
#     --sources DIR   where source archives are, or are downloaded to; default: PREFIX/src
#     --download      only download: for a node with a network, before a node without one
#     --all           build also what cmake finds on this machine
#     LIBRARY         one of those in the table below; default: all that are missing
#   JOBS says how many files are compiled at a time, DEBIAN_MIRROR where archives come from.
# oneDNN is much more work than all others together: an hour of one core. tests/install/without_root.sh builds them all,
# and a program with them. Then:
#   make PREFIX=PREFIX PACKAGES=no install
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mirror=${DEBIAN_MIRROR:-https://deb.debian.org/debian}
jobs=${JOBS:-$(nproc)}

# Library, SHA-256, archive: the sources of Debian 12 and 13, which stay where they are for years. Where a name says
# +ds or dfsg, Debian left files out that are not needed here, so upstream's archives have other checksums.
table='
fmt           84ce1c2d0be3a9863935137969dcec6970125caac032f82474640bfc81463583 f/fmtlib/fmtlib_9.1.0+ds1.orig.tar.gz
yaml-cpp      32c85a5f36633a9005b20261b35fccb0d8ec69e9ef16c67de7d5d007944e3709 y/yaml-cpp/yaml-cpp_0.8.0+dfsg.orig.tar.xz
nlohmann_json 0d8ef5af7f9794e3263480193c491549b2ba6cc74bb018906202ada498a79406 n/nlohmann-json3/nlohmann-json3_3.11.3.orig.tar.gz
xxhash        aae608dfe8213dfd05d909a57718ef82f30722c392344583d3f39050c7f29a80 x/xxhash/xxhash_0.8.3.orig.tar.gz
ZLIB          60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb z/zlib/zlib_1.3.dfsg+really1.3.1.orig.tar.gz
JPEG          254f3642b04e309fee775123133c6464181addc150499561020312ec61c1bf7c libj/libjpeg-turbo/libjpeg-turbo_2.1.5.orig.tar.gz
Boost         404df4b4072fc7f2d4483d4fc2d61ff6f554dd80c9a812652684d5952e881c91 b/boost1.83/boost1.83_1.83.0.orig.tar.xz
dnnl          0cc51ca26c1af6a2bb1e71e378e7046f3ceb3e71791ee9d4e246d50f904a6ea6 o/onednn/onednn_3.7.2+ds.orig.tar.xz
'

fail() {
  echo "build_dependencies.sh: $1" >&2
  exit "${2:-1}"
}

known=$(echo "$table" | awk 'NF {print $1}')
prefix='' sources='' only_download=no all=no libraries=''
while [ $# -gt 0 ]; do
  case $1 in
    --sources) sources=${2:?"--sources: expected a folder"}; shift ;;
    --download) only_download=yes ;;
    --all) all=yes ;;
    -*) fail "$1: found, expected --sources, --download or --all" 2 ;;
    *)
      if [ -z "$prefix" ]; then
        prefix=$1
      elif echo "$known" | grep -qxF "$1"; then
        libraries="$libraries $1"
      else
        fail "$1: no such library, allowed is ${known//$'\n'/ | }" 2
      fi ;;
  esac
  shift
done
[ -n "$prefix" ] || fail "found no PREFIX, expected build_dependencies.sh PREFIX [OPTIONS] [LIBRARY...]" 2
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)
sources=${sources:-$prefix/src}
mkdir -p "$sources"
sources=$(cd "$sources" && pwd)
work=$prefix/build
log=$work/log
mkdir -p "$work"
cd "$work"
export CMAKE_PREFIX_PATH=$prefix${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}

# Whether cmake finds a library that dependencies.cmake accepts, by its own lines about the library.
is_there() {
  mkdir -p "$work/probe"
  {
    echo 'cmake_minimum_required(VERSION 3.25)'
    echo 'project(probe LANGUAGES CXX)'
    sed -n -e "/^find_[a-z]*($1[ _]/Ip" -e "/^if(.*${1}_/I,/^endif/p" "$here/dependencies.cmake"
  } >"$work/probe/CMakeLists.txt"
  grep -q '^find_' "$work/probe/CMakeLists.txt" || fail "dependencies.cmake finds no $1"
  rm -rf "$work/probe/build"
  cmake -S "$work/probe" -B "$work/probe/build" >"$log" 2>&1
}

# Puts the archive of a library into the folder of sources, and leaves it there only if it is the right one.
fetch() {
  local sum file
  read -r sum file <<<"$(echo "$table" | awk -v name="$1" '$1 == name {print $2, $3}')"
  archive=$sources/${file##*/}
  if [ ! -e "$archive" ]; then
    echo "$1: downloading $mirror/pool/main/$file"
    if command -v curl >/dev/null; then
      curl -sSfL -o "$archive.part" "$mirror/pool/main/$file"
    else
      wget -q -O "$archive.part" "$mirror/pool/main/$file"
    fi || fail "$1: cannot be downloaded; put ${file##*/} into $sources and start this again"
    mv "$archive.part" "$archive"
  fi
  echo "$sum  $archive" | sha256sum --status -c - ||
    fail "$archive: is not the file that was expected, whose SHA-256 is $sum; delete it"
}

with_cmake() {
  local folder=$1
  shift
  # A type for the folder of libraries, without which libjpeg-turbo takes it from where we are; a policy version, as
  # cmake 4 refuses what these files ask for; <cstdint>, as compilers since GCC 13 no longer include it by the way.
  cmake -S "$folder" -B "$tree/made" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" \
    -DCMAKE_INSTALL_LIBDIR:STRING=lib -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
    -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF \
    -DCMAKE_POLICY_VERSION_MINIMUM=3.5 -DCMAKE_CXX_FLAGS="${CXXFLAGS:-} -include cstdint" "$@"
  cmake --build "$tree/made" -j "$jobs"
  cmake --install "$tree/made"
}

build() {
  case $1 in
    fmt) with_cmake "$tree" -DFMT_TEST=OFF -DFMT_DOC=OFF ;;
    yaml-cpp) with_cmake "$tree" -DYAML_CPP_BUILD_TESTS=OFF -DYAML_CPP_BUILD_TOOLS=OFF ;;
    nlohmann_json) with_cmake "$tree" -DJSON_BuildTests=OFF ;;
    xxhash) with_cmake "$tree/cmake_unofficial" -DXXHASH_BUILD_XXHSUM=OFF ;;
    ZLIB)
      cd "$tree"
      CFLAGS="${CFLAGS:--O2} -fPIC" ./configure --static --prefix="$prefix"
      make -j "$jobs" libz.a
      make install ;;
    JPEG)
      command -v nasm >/dev/null || command -v yasm >/dev/null ||
        echo "no nasm here: JPEG files will be decoded without vector instructions" >&2
      with_cmake "$tree" -DENABLE_SHARED=OFF -DWITH_TURBOJPEG=OFF ;;
    Boost) with_cmake "$tree" "-DBOOST_INCLUDE_LIBRARIES=program_options;math" ;;
    dnnl)  # of its primitives those that the program or its tests use: each is a large piece of a program
      local primitives='BATCH_NORMALIZATION;BINARY;CONVOLUTION;ELTWISE;INNER_PRODUCT;MATMUL;REDUCTION;REORDER;SUM'
      with_cmake "$tree" -DONEDNN_LIBRARY_TYPE=STATIC -DONEDNN_CPU_RUNTIME=OMP -DONEDNN_GPU_RUNTIME=NONE \
        -DONEDNN_BUILD_TESTS=OFF -DONEDNN_BUILD_EXAMPLES=OFF -DONEDNN_BUILD_DOC=OFF -DONEDNN_BUILD_GRAPH=OFF \
        "-DONEDNN_ENABLE_PRIMITIVE=$primitives" ;;
  esac
}

for library in ${libraries:-$known}; do
  if [ "$all" = no ] && is_there "$library"; then
    echo "$library: found"
    continue
  fi
  fetch "$library"
  [ "$only_download" = no ] || continue
  echo "$library: building ${archive##*/}"
  tree=$work/$library
  rm -rf "$tree"
  mkdir -p "$tree"
  # Most files of Boost are about its libraries, and file systems of clusters dislike so many.
  tar -xf "$archive" -C "$tree" --strip-components=1 --no-wildcards-match-slash \
    --exclude='boost/libs/*/doc' --exclude='boost/libs/*/test' --exclude='boost/libs/*/example'
  # In a subshell that 'set -e' ends: in a condition it would go on.
  set +e
  (set -e; build "$library") >"$log" 2>&1 </dev/null
  status=$?
  set -e
  [ "$status" -eq 0 ] || fail "$library: does not build; the end of $log: $(tail -n 20 "$log")"
  is_there "$library" || fail "$library: was built, but cmake does not find it in $prefix: $(tail -n 20 "$log")"
  rm -rf "$tree"
done
[ "$only_download" = yes ] || echo "cmake finds all of them with CMAKE_PREFIX_PATH=$prefix"
