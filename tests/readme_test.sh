#!/bin/sh
# The shell commands of README.md work in a fresh clone that has nothing beside it.
#   readme_test.sh PROGRAM
# Three things are not as for a person, as they would take minutes:
# - The program is PROGRAM, not built again: cmake, the installer of packages and the builder of libraries do nothing.
# - Runs end after BUDGET samples and evaluate once, on 500: the program that the clone has adds that to 'localbatch run'.
# - 'make test' is only looked up, as this is one of its tests.
# data/fetch.sh finds the data of this tree's data folder, or of the one that LOCALBATCH_DATA names; without images it must
# say what to do without a network, and files of zeros stand in; for a text README.md does.
# shellcheck disable=SC2016  # backticks are Markdown's
set -eu
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
source=$(cd "$(dirname "$0")/.." && pwd)
data=$(cd "${LOCALBATCH_DATA:-$source/data}" && pwd)
images=$data/cifar-10-batches-bin
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset LOCALBATCH_DATA MAKEFLAGS MAKELEVEL MFLAGS

# What is in the working tree, committed or not; ignored files, such as data sets and builds, are not.
clone=$folder/clone
git clone -q --no-hardlinks "$source" "$clone"
(cd "$source" && git ls-files --cached --others --exclude-standard |
  while read -r file; do if [ -e "$file" ]; then echo "$file"; fi; done | tar -c -T - -f -) | tar -x -C "$clone" -f -
cd "$clone"

mkdir -p "$folder/bin" build/release/apps
printf '#!/bin/sh\nexit 0\n' >"$folder/bin/cmake"
cp "$folder/bin/cmake" third_party/install_packages.sh
cp "$folder/bin/cmake" third_party/build_dependencies.sh
cat >build/release/apps/localbatch <<SHIM
#!/bin/sh
if [ "\$1" = run ]; then set -- "\$@" --set max_samples=\${BUDGET:-600} --set evaluation.every_samples=1000000 --set evaluation.max_samples=500; fi
exec "$program" "\$@"
SHIM
chmod +x "$folder/bin/cmake" build/release/apps/localbatch
PATH=$folder/bin:$PATH

# data/fetch.sh cifar10, with the images or without any.
fetch_cifar10() {
  set=data/cifar-10-batches-bin
  if [ -e "$images/data_batch_1.bin" ]; then
    mkdir -p "$set"
    for file in "$images"/*.bin; do ln -s "$file" "$set/"; done
    data/fetch.sh cifar10
    return
  fi
  echo "no CIFAR-10 in $images: files of zeros stand in"
  printf '#!/bin/sh\nexit 6\n' >"$folder/bin/curl"
  chmod +x "$folder/bin/curl"
  if data/fetch.sh cifar10 >"$folder/said" 2>&1; then return 1; fi
  grep -q "put that into $clone/data and start this again" "$folder/said" || return 1
  mkdir -p "$set"
  for batch in data_batch_1 data_batch_2 data_batch_3 data_batch_4 data_batch_5 test_batch; do
    head -c 30730000 /dev/zero >"$set/$batch.bin"
  done
}

# data/fetch.sh tinyshakespeare, which splits a text that is there, or a stand-in for its two files.
fetch_tinyshakespeare() {
  set=data/tinyshakespeare
  mkdir -p "$set"
  if [ -e "$data/tinyshakespeare/input.txt" ]; then
    cp "$data/tinyshakespeare/input.txt" "$set/"
    data/fetch.sh tinyshakespeare
    return
  fi
  echo "no text in $data/tinyshakespeare: README.md stands in"
  cp README.md "$set/train.txt"
  cp README.md "$set/val.txt"
}

failed=0
sed -n '/^```sh$/,/^```$/p' README.md | grep -v '^```' | sed 's/ *# .*//; s/ *$//' | grep . >"$folder/commands"
[ "$(wc -l <"$folder/commands")" -ge 8 ] || { echo "README.md: fewer than 8 commands found" >&2; exit 1; }
while read -r command <&3; do
  echo "\$ $command"
  case $command in
    'make test') make -n test >"$folder/output" 2>&1 || failed=1 ;;
    'data/fetch.sh cifar10') fetch_cifar10 >"$folder/output" 2>&1 || failed=1 ;;
    'data/fetch.sh tinyshakespeare') fetch_tinyshakespeare >"$folder/output" 2>&1 || failed=1 ;;
    export\ *) eval "$command" ;;
    *) sh -c "$command" >"$folder/output" 2>&1 || failed=1 ;;
  esac
  if [ "$failed" -ne 0 ]; then
    cat "$folder/output"
    echo "README.md: '$command' failed in a fresh clone" >&2
    exit 1
  fi
  if [ "$command" = 'make demo' ]; then cp "$folder/output" "$folder/demo"; fi
done 3<"$folder/commands"

# What README.md shows of the demo: the same words, whatever the numbers are.
words() { tr -s ' ' '\n' | sed -n 's/^\([a-z][a-z-]*\)[;,:]*$/\1/p' | sort -u; }
sed -n '/^```text$/,/^```$/p' README.md | grep -v '^```' | words >"$folder/shown"
words <"$folder/demo" >"$folder/printed"
grep -q training "$folder/shown" || { echo "README.md: no output of make demo found" >&2; exit 1; }
if ! new=$(grep -v -x -F -f "$folder/printed" "$folder/shown"); then new=; fi
new=$(echo "$new" | grep -v -x -E 'min|s|left' || true)  # of a run that goes on for longer
[ -z "$new" ] || { echo "README.md shows words that make demo does not print: $new" >&2; exit 1; }

# The picture follows from its script and its CSV file, byte for byte with the gnuplot that drew it.
picture=experiments/cifar10/growing_batch.svg
grep -q "($picture)" README.md || { echo "README.md does not show $picture" >&2; exit 1; }
cp "$picture" "$folder/picture"
(cd experiments/cifar10 && gnuplot growing_batch.gp)
drawn_by() { sed -n 's/.*Produced by GNUPLOT \(.*\) <.*/\1/p' "$1"; }
if [ "$(drawn_by "$folder/picture")" = "$(drawn_by "$picture")" ]; then
  cmp "$folder/picture" "$picture" || { echo "$picture is not what its script draws" >&2; exit 1; }
else
  echo "$picture is not compared: another gnuplot drew it"
fi
[ "$(wc -c <README.md)" -le 8000 ] || { echo "README.md has more than 8000 bytes" >&2; exit 1; }
