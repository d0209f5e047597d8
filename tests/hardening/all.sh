#!/usr/bin/env bash
# All campaigns, also behind one with a finding:  tests/hardening/all.sh KILLS MUTATIONS SEED
set -u
cd "$(dirname "$0")/../.."
kills=$1 mutations=$2 seed=$3
program=build/release/apps/localbatch libraries=build/release/tests
failed=0
campaign() {
  echo "== $*"
  python3 "tests/hardening/$@" --seed "$seed" || failed=1
}
campaign kills.py $program --kills "$kills"
campaign mutations.py build/asan/apps/localbatch --mutations "$mutations" --keep build/hardening
campaign stopped_ranks.py $program $libraries/liblocalbatch_stopping_calls.so --at-a-time 4
campaign failing_calls.py $program $libraries/liblocalbatch_failing_calls.so
exit $failed
