#!/usr/bin/env bash
# Builds, installs and runs as an ordinary user of a machine without apt's libraries, as third_party/README.md says. No
# test of ctest's, as it downloads, and compiles for long, with oneDNN for very long.
#   without_root.sh FOLDER [PACKAGE...]
# Started by root of a Debian 12 that has the packages of third_party/install_packages.sh: in mounts of our own they are
# removed again, but for what belongs to cmake, MPI and the compiler, and for each PACKAGE (libdnnl-dev saves the time of
# oneDNN). sudo and apt-get fail. Nobody then works in FOLDER, whose folder src may hold source archives.
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
folder=$1
shift
if [ -z "${IN_MOUNTS_OF_OUR_OWN:-}" ]; then
  mkdir -p "$folder"
  IN_MOUNTS_OF_OUR_OWN=yes exec unshare -m "$0" "$(cd "$folder" && pwd)" "$@"
fi

layers=$(mktemp -d)
mount -t tmpfs none "$layers"
mkdir "$layers/upper" "$layers/work"
mount -t overlay overlay -o "lowerdir=/usr,upperdir=$layers/upper,workdir=$layers/work" /usr
for package in libfmt-dev libyaml-cpp-dev nlohmann-json3-dev libxxhash-dev zlib1g-dev libjpeg62-turbo-dev libjpeg-dev \
               libboost1.74-dev libboost-program-options1.74-dev doctest-dev libdnnl-dev; do
  if [[ " $* " == *" $package "* ]]; then continue; fi
  dpkg -L "$package" | grep ^/usr/ | while read -r file; do
    if [ -f "$file" ] || [ -L "$file" ]; then rm -f "$file"; fi
  done
done
for command in sudo apt-get; do
  printf '#!/bin/sh\necho "%s was called" >&2\nexit 1\n' "$command" >"/usr/bin/$command"
  chmod +x "/usr/bin/$command"
done

rm -rf "$folder/clone"
git clone -q --no-hardlinks "$source" "$folder/clone"
chown -R 65534:65534 "$folder"
cd "$folder/clone"
# shellcheck disable=SC2016  # the shell inside knows its HOME
setpriv --reuid=65534 --regid=65534 --clear-groups env -u LOCALBATCH_DATA HOME="$folder" bash -euxc '
  third_party/build_dependencies.sh "$HOME/localbatch" --sources "$HOME/src"
  make install PREFIX="$HOME/localbatch" PACKAGES=no
  cd "$HOME"
  localbatch/bin/localbatch run localbatch/share/localbatch/experiments/demo.yaml --set max_samples=600'
