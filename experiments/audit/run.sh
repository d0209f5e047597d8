#!/bin/sh
# The same global batch of 256 samples on 4 and on 16 workers; from the top of the repository.
set -e
experiment() {
  build/release/apps/localbatch run experiments/audit/resnet20.yaml --output "${OUTPUT:-results}" "$@"
}
experiment --set workers=4 --set batch_size.initial=64 --set batch_size.max=64
experiment --set workers=16 --set batch_size.initial=16 --set batch_size.max=16
