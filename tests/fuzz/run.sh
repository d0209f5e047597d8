#!/bin/sh
# Runs each fuzzer of the preset 'asan' for some seconds and fails when one finds something. What it
# learns stays in build/asan/corpus, for the next time.
# Usage: run.sh SECONDS [target ...]
set -eu
cd "$(dirname "$0")/../.."

seconds=$1
shift
[ $# -gt 0 ] || set -- $(ls tests/fuzz/corpus)

failed=""
for target; do
  learned=build/asan/corpus/$target
  found=build/asan/findings/$target
  mkdir -p "$learned" "$found"
  findings=tests/fuzz/findings/$target
  [ -d "$findings" ] || findings=""
  echo "== $target"
  # Seconds that an input may take are seconds of a slow build on a busy machine.
  if ! build/asan/tests/fuzz/localbatch_fuzz_"$target" \
      -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 \
      -max_len=8192 -dict=tests/fuzz/words.dict -artifact_prefix="$found/" \
      -verbosity=0 -print_funcs=0 -print_final_stats=1 "$learned" "tests/fuzz/corpus/$target" $findings; then
    echo "$target: found something; the input lies in $found"
    failed="$failed $target"
  fi
done

[ -z "$failed" ] || { echo "fuzzers with findings:$failed"; exit 1; }
