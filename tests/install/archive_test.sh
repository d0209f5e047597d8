#!/usr/bin/env bash
# A source archive made by 'git archive' knows its commit, also inside a clone of something else; so does a clone.
#   archive_test.sh CXX_COMPILER
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
if ! commit=$(git -C "$source" rev-parse --short=12 HEAD 2>/dev/null) || [ ! -e "$source/.git" ]; then
  echo "no clone here, of which an archive could be made"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null
git -c init.defaultBranch=main init -q "$folder"  # something else
git -C "$folder" -c user.name=n -c user.email=e commit -q --allow-empty -m other
mkdir "$folder/archive"
git -C "$source" archive HEAD | tar -x -C "$folder/archive"

# Only the unit that knows the commit is made, so neither MPI nor oneDNN has to be configured.
cat >"$folder/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(archive LANGUAGES CXX)
execute_process(COMMAND ${CMAKE_COMMAND} -DOUTPUT=${CMAKE_BINARY_DIR}/build_info.cpp -DSOURCE_DIR=${TREE}
  -DVERSION=1 -DCOMPILER=c -DBUILD_TYPE=b -DMARCH=m -P ${TREE}/lib/core/build_info.cmake)
add_library(build_info OBJECT ${CMAKE_BINARY_DIR}/build_info.cpp)
target_include_directories(build_info PRIVATE ${TREE}/lib)
target_compile_features(build_info PRIVATE cxx_std_20)
CMAKE
commit_of() {
  cmake -S "$folder" -B "$folder/$2" -DTREE="$1" -DCMAKE_CXX_COMPILER="$compiler" >"$folder/log"
  cmake --build "$folder/$2" >>"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
  sed -n 's/.*return {"[^"]*", "\([^"]*\)".*/\1/p' "$folder/$2/build_info.cpp"
}
compiler=$1
of_archive=$(commit_of "$folder/archive" archive_build)
of_clone=$(commit_of "$source" clone_build)
if [ "$of_archive" != "$commit" ] || [ "${of_clone%-dirty}" != "$commit" ]; then
  echo "commit $commit: the archive says '$of_archive', the clone '$of_clone'" >&2
  exit 1
fi
echo "an archive and a clone of commit $commit name it"
