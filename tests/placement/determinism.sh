#!/bin/sh
# One experiment, run on several placements, leaves the same bytes.
#   determinism.sh PROGRAM MPIRUN...        (MPIRUN ends with the option that takes a number of ranks)
# Started from the root of the repository, where the paths of experiments begin.
set -eu
program=$1
shift
folder=$(mktemp -d "${TMPDIR:-/tmp}/localbatch-determinism-XXXXXX")
trap 'rm -rf "$folder"' EXIT INT TERM
experiment=$folder/determinism.yaml  # a copy: all runs read the same, whatever an editor does meanwhile
cp tests/placement/determinism.yaml "$experiment"

fail() {
  echo "determinism: $*" >&2
  exit 1
}

data='name: cifar10, root: data/cifar-10-batches-bin'
images=${LOCALBATCH_DATA:-data}/cifar-10-batches-bin
if [ ! -e "$images/data_batch_1.bin" ]; then
  data='name: synthetic'
  echo "note: $images does not hold CIFAR-10; this run uses synthetic images"
fi

# Runs on a placement; its results are then in $folder/<name>/determinism/<cell>.
run() {
  name=$1
  ranks=$2
  threads=$3
  echo "$name: $ranks ranks, $threads thread(s) per worker"
  mpirun_line="$mpirun $ranks"
  # shellcheck disable=SC2086  # words of a command
  $mpirun_line "$program" run "$experiment" --set "dataset={$data}" \
    --set "threads_per_worker=$threads" --output "$folder/$name" >"$folder/$name.log" 2>&1 ||
    { cat "$folder/$name.log"; fail "$name ended with status $?"; }
}

mpirun=$*
for ranks in 1 2 3 4; do
  run "ranks$ranks" "$ranks" 1
done
run threads2 2 2
run threads4 1 4

reference=$(echo "$folder"/ranks1/determinism/*)
rounds=$(($(wc -l <"$reference/rounds.csv") - 1))
[ "$rounds" -ge 10 ] || fail "expected 10 rounds, found $rounds"
column=$(head -n 1 "$reference/rounds.csv" | tr ',' '\n' | grep -n -x local_batch_size | cut -d: -f1)
first=$(sed -n 2p "$reference/rounds.csv" | cut -d, -f"$column")
last=$(tail -n 1 "$reference/rounds.csv" | cut -d, -f"$column")
[ "$last" -gt "$first" ] || fail "the local batch did not grow: $first -> $last"

for other in ranks2 ranks3 ranks4; do
  cmp "$reference/experiment.yaml" "$folder/$other"/determinism/*/experiment.yaml ||
    fail "$other: another experiment was run"
done
for other in ranks2 ranks3 ranks4 threads2 threads4; do
  for file in rounds.csv evaluations.csv final_parameters.f32; do
    cmp "$reference/$file" "$folder/$other"/determinism/*/"$file" || fail "$other: $file differs"
  done
done
echo "$rounds rounds, local batch $first -> $last: the same bytes on all placements"
