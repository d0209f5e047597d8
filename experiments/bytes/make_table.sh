#!/bin/sh
# Makes the table and the figures from the CSV files in results/, here or in another folder.
# Usage: make_table.sh LOCALBATCH [FOLDER]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../make_table.sh" "$1" "$here/resnet20.yaml" "${2:-$here}" \
  rounds,average_local_batch_size,bytes,final_train_loss,final_test_loss,final_test_accuracy \
  bytes:test_accuracy samples:local_batch_size
