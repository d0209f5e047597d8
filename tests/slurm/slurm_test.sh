#!/usr/bin/env bash
# The templates of experiments/slurm on a real Slurm of this machine.
#   slurm_test.sh PROGRAM [TEST]...       (tests: run, array, unconnected, signal, urgent, cancel; all of them)
# Started from the root of the repository. Prints a line for each test: what was shown.
set -euo pipefail
tests=$(dirname "$0")
templates=experiments/slurm
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

[ $# -ge 1 ] || { echo "usage: slurm_test.sh PROGRAM [TEST]..." >&2; exit 2; }
LOCALBATCH=$(realpath -e "$1")
export LOCALBATCH
shift
[ $# -gt 0 ] || set -- run array unconnected signal urgent cancel

folder=$(mktemp -d "${TMPDIR:-/tmp}/localbatch-slurm-XXXXXX")
clean_up() {
  local status=$?
  "$tests/cluster.sh" stop "$folder/cluster" || status=1
  rm -rf "$folder"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# Ends the test with a reason and what the jobs have printed.
fail() {
  local log
  for log in "$folder"/*.log; do
    [ -s "$log" ] || continue
    echo "--- the end of $log" >&2
    tail -n 20 "$log" >&2
  done
  squeue >&2 || true
  echo "slurm_test: $*" >&2
  exit 1
}

# What scontrol says about a job, a line for each task of an array: field JOB NAME
field() {
  scontrol --oneliner show job "$1" | grep -o "\b$2=[^ ]*" | cut -d= -f2
}

# wait_until SECONDS WHAT COMMAND...
wait_until() {
  local seconds=$1 what=$2 end=$((SECONDS + $1))
  shift 2
  until "$@"; do
    ((SECONDS < end)) || fail "not within $seconds s: $what"
    sleep 0.5
  done
}

has_ended() {
  ! field "$1" JobState | grep -qvE '^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|PREEMPTED|OUT_OF_MEMORY)$'
}

require_success() {
  wait_until 180 "the end of job $1" has_ended "$1"
  ! field "$1" JobState | grep -qvx COMPLETED || fail "job $1 ended as $(field "$1" JobState | xargs)"
  ! field "$1" ExitCode | grep -qvx 0:0 || fail "job $1 has exit code $(field "$1" ExitCode | xargs)"
}

# Submits a template as a person would; its log is $folder/NAME.log: submit NAME [OPTION]... FILE ARGUMENT...
submit() {
  local name=$1
  shift
  sbatch --parsable --output="$folder/$name.log" "$@" || fail "sbatch refuses $name"
}

tiny=(experiments/demo.yaml --set max_samples=1000 --set dataset.train_samples=1000 --set dataset.test_samples=200)

# Long enough to be interrupted: some dozens of rounds, in which the local batch grows.
long=(experiments/demo.yaml --set max_samples=8000 --set evaluation.every_samples=4000 --set dataset.test_samples=200)
UNFINISHED_ROUNDS=5

num_rounds() {
  cat "$folder/$1"/*/*/rounds.csv 2>/dev/null | wc -l
}

is_on_its_way() {
  [ "$(num_rounds "$1")" -gt "$UNFINISHED_ROUNDS" ]
}

require_same_bytes() {
  local file
  for file in rounds.csv evaluations.csv final_parameters.f32; do
    cmp "$folder/$1"/*/*/"$file" "$folder/$2"/*/*/"$file" >&2 || fail "$file of '$1' and of '$2' differ"
  done
}

show_run() {
  local by_srun by_mpirun name
  sed 's/^launcher=.*/launcher=(mpirun --bind-to none)/' "$templates/one_run.sbatch" >"$folder/mpirun.sbatch"
  by_srun=$(submit srun "$templates/one_run.sbatch" "${tiny[@]}" --output "$folder/srun")
  by_mpirun=$(submit mpirun "$folder/mpirun.sbatch" "${tiny[@]}" --output "$folder/mpirun")
  require_success "$by_srun"
  require_success "$by_mpirun"
  for name in srun mpirun; do
    grep -q 'on 2 ranks' "$folder/$name.log" || fail "$name did not run on 2 ranks"
  done
  require_same_bytes srun mpirun
  echo "run: two ranks by srun --mpi=pmix and two by mpirun end with status 0 and the same bytes"
}

show_array() {
  local job num_cells
  { cat experiments/demo.yaml && echo 'sweep: {sync_interval.H: [2, 4, 8]}'; } >"$folder/sweep.yaml"
  job=$(submit array "$templates/array.sbatch" "$folder/sweep.yaml" "${tiny[@]:1}" --output "$folder/array")
  require_success "$job"
  num_cells=$(find "$folder/array" -name summary.json | wc -l)
  [ "$num_cells" -eq 3 ] || fail "an array of 3 cells left $num_cells finished folders"
  echo "array: 3 cells, each with a finished folder of its own"
}

# Two tasks without PMIx, each with a variable taken away; prints the status.
run_unconnected() {
  local status=0
  timeout 100 srun --quiet --mpi=none --ntasks=2 env -u "$1" "$LOCALBATCH" run "${tiny[@]}" \
    --output "$folder/unconnected" >"$folder/unconnected.log" 2>&1 || status=$?
  [ ! -e "$folder/unconnected" ] || fail "srun --mpi=none with 2 tasks wrote results"
  echo "$status"
}

# Open MPI notices by itself that srun offers no PMIx. Without SLURM_NODELIST it does not, as other MPIs never
# do; then every task sees a world of its own, and the program has to refuse.
show_unconnected() {
  local status
  status=$(run_unconnected NOTHING)
  [[ "$status" =~ ^(1|2)$ ]] || fail "srun --mpi=none with 2 tasks ended with status $status instead of 1 or 2"
  status=$(run_unconnected SLURM_NODELIST)
  [ "$status" -eq 2 ] || fail "two unconnected tasks ended with status $status instead of 2"
  grep -q 'srun started 2 tasks, but MPI does not connect them' "$folder/unconnected.log" ||
    fail "two unconnected tasks were refused without the reason"
  echo "unconnected: two tasks of srun --mpi=none are refused by Open MPI or the program (status 2), nothing written"
}

# An uninterrupted run to compare with, once for all tests.
require_reference() {
  [ -e "$folder/reference" ] && return
  require_success "$(submit reference "$templates/one_run.sbatch" "${long[@]}" --output "$folder/reference")"
}

# Starts a job from preemptible.sbatch and returns when it is in the middle: job is its number.
start_preemptible() {
  job=$(submit "$@" --output "$folder/$1")
  wait_until 100 "some rounds of job $job" is_on_its_way "$1"
}

was_requeued() {
  has_ended "$1" || [ "$(field "$1" Restarts)" -gt 0 ]
}

require_another_stretch() {
  local name=$1
  wait_until 60 "another stretch of job $job" was_requeued "$job"
  grep -q 'stopped with status 75' "$folder/$name.log" || fail "$name did not stop with status 75"
  require_success "$job"
  [ "$(field "$job" Restarts)" -eq 1 ] || fail "$name was restarted $(field "$job" Restarts) times instead of once"
  require_same_bytes reference "$name"
}

show_signal() {
  local name
  require_reference
  sed 's/^launcher=.*/launcher=(mpirun --bind-to none)/' "$templates/preemptible.sbatch" >"$folder/mpirun.sbatch"
  for name in signal_srun signal_mpirun; do
    if [ "$name" = signal_srun ]; then
      start_preemptible "$name" "$templates/preemptible.sbatch" "${long[@]}"
    else
      start_preemptible "$name" "$folder/mpirun.sbatch" "${long[@]}"
    fi
    scancel --signal=USR1 --batch "$job"
    require_another_stretch "$name"
  done
  echo "signal: after USR1 to the script (srun, mpirun) a job is requeued once and ends with the bytes of one" \
    "that was never stopped"
}

show_urgent() {
  local urgent
  require_reference
  start_preemptible urgent "$templates/preemptible.sbatch" "${long[@]}"
  urgent=$(sbatch --parsable --partition=urgent --exclusive --output=/dev/null --wrap='sleep 1')
  require_another_stretch urgent
  require_success "$urgent"
  echo "urgent: a job that a more urgent one displaces goes on later and ends with the same bytes"
}

show_cancel() {
  start_preemptible cancel "$templates/preemptible.sbatch" "${long[@]}"
  scancel "$job"
  wait_until 60 "the end of the cancelled job $job" has_ended "$job"
  sleep 1
  [ "$(field "$job" JobState)" = CANCELLED ] || fail "a cancelled job became $(field "$job" JobState)"
  [ "$(field "$job" Restarts)" -eq 0 ] || fail "a cancelled job was started again"
  echo "cancel: a job that its user cancels stays cancelled"
}

"$tests/cluster.sh" start "$folder/cluster"
eval "$("$tests/cluster.sh" env "$folder/cluster")"

# The templates say --resume; a program without it can still show whatever is not interrupted.
resumable=yes
if ! "$LOCALBATCH" run --help | grep -q -- --resume; then
  resumable=""
  {
    echo '#!/usr/bin/env bash'
    echo "[ \"\${*: -1}\" != --resume ] || set -- \"\${@:1:\$#-1}\""
    echo "exec '$LOCALBATCH' \"\$@\""
  } >"$folder/program"
  chmod +x "$folder/program"
  LOCALBATCH=$folder/program
fi

for test in "$@"; do
  case $test in
    run | array | unconnected) "show_$test" ;;
    signal | urgent | cancel)
      if [ "$resumable" ]; then "show_$test"; else echo "$test: not shown, the program has no --resume"; fi
      ;;
    *) fail "$test: no such test" ;;
  esac
done
