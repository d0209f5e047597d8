#!/usr/bin/env bash
# The demo, cut short, leaves the same bytes over two MPI libraries: programs of one compiler with the same options.
#   second_mpi.sh PROGRAM MPIRUN OTHER_PROGRAM OTHER_MPIRUN
# Started from the root of the repository.
set -euo pipefail
folder=$(mktemp -d "${TMPDIR:-/tmp}/localbatch-second-mpi-XXXXXX")
trap 'rm -rf "$folder"' EXIT

start() {  # NAME PROGRAM MPIRUN
  "$3" -n 2 "$2" run experiments/demo.yaml --set max_samples=6000 --set evaluation.every_samples=2000 \
    --output "$folder/$1" >"$folder/$1.log" 2>&1 || { cat "$folder/$1.log"; exit 1; }
}
start first "$1" "$2"
start second "$3" "$4"

runs=("$folder"/first/*/*/)
[ ${#runs[@]} = 1 ] || { echo "expected one run, found ${#runs[@]}" >&2; exit 1; }
run=${runs[0]#"$folder/first/"}
libraries=$(sed -n 's/^ *"mpi": "\(.*\)",$/\1/p' "$folder"/{first,second}/"$run"/manifest.json)
[ "$(sort -u <<<"$libraries" | wc -l)" = 2 ] || { echo "expected two libraries, found: $libraries" >&2; exit 1; }
for file in rounds.csv evaluations.csv final_parameters.f32; do
  cmp "$folder/first/$run$file" "$folder/second/$run$file"
done
echo "the same bytes over" ${libraries//$'\n'/ and }
