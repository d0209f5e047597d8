#!/usr/bin/env bash
# Runs the nine cells of this page's table, JOBS at a time (default: one per core).
# Usage: run.sh LOCALBATCH OUTPUT
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
for seed in 1 2 3; do
  for cell in "f32 winograd" "bf16 winograd" "f32 direct"; do
    echo "$seed $cell"
  done
done | xargs -P "${JOBS:-$(nproc)}" -L 1 bash -c '
  "$0" run "$1" --output "$2" --set seed="$3" --set precision="$4" --set convolution="$5"' \
  "$1" "$here/resnet20.yaml" "$2"
