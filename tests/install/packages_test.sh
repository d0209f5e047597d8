#!/usr/bin/env bash
# cpack makes a .tar.gz and a .deb whose program runs from the folder that they are unpacked into.
#   packages_test.sh BUILD VERSION
set -euo pipefail
. "$(dirname "$0")/common.sh"
# As if Ninja had built it: with make, cpack would build all targets first, in a tree that other tests use.
pack() {
  cpack -G "$1" --config "$build/CPackConfig.cmake" -B "$folder/$1" -D CPACK_CMAKE_GENERATOR=Ninja \
    >"$folder/log" 2>&1 || fail "$(cat "$folder/log")"
}

pack TGZ
mkdir "$folder/unpacked"
tar -xf "$folder"/TGZ/localbatch-"$version"-*.tar.gz -C "$folder/unpacked" --strip-components=1
[ -s "$folder/unpacked/share/man/man1/localbatch.1" ] || fail "the .tar.gz has no man page"
"$here/run_demo.sh" "$folder/unpacked" "$source" "$build"

if ! command -v dpkg-shlibdeps >/dev/null; then
  echo "no dpkg-dev here: no .deb is made"
  exit 0
fi
libraries=$(ldd "$folder/unpacked/bin/localbatch" | awk '$3 ~ /^\// {print $3}')
if echo "$libraries" | grep -Ev '^(/usr)?/lib'; then
  echo "these libraries are of no Debian package: no .deb is made"
  exit 0
fi
pack DEB
package=$(ls "$folder"/DEB/localbatch_"$version"_*.deb)
depends=$(dpkg-deb -f "$package" Depends)
for library in $(echo "$libraries" | grep -o libdnnl) libc6; do
  [[ $depends == *$library* ]] || fail "the .deb does not depend on $library, but on: $depends"
done
[ "$(dpkg-deb -f "$package" Suggests)" = gnuplot ] || fail "the .deb does not suggest gnuplot"
dpkg-deb -x "$package" "$folder/deb"
"$folder/deb/usr/bin/localbatch" --version
[ -s "$folder/deb/usr/share/man/man1/localbatch.1" ] || fail "the .deb has no man page"
