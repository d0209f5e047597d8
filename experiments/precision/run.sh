#!/usr/bin/env bash
# Runs the nine cells of this page's table. Usage: run.sh LOCALBATCH OUTPUT
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
for seed in 1 2 3; do
  for cell in "precision=f32 winograd=true" "precision=bf16 winograd=true" "precision=f32 winograd=false"; do
    read -r precision winograd <<<"$cell"
    "$1" run "$here/resnet20.yaml" --output "$2" --set seed="$seed" --set "$precision" --set "$winograd"
  done
done
