#!/bin/sh
# Makes the table and the figures from the CSV files in results/, here or in another folder.
# Usage: make_table.sh LOCALBATCH [FOLDER]
set -eu
localbatch=$1
here=$(cd "$(dirname "$0")" && pwd)
folder=${2:-$here}

"$localbatch" table "$here/resnet20.yaml" --output "$here/results" --write "$folder" \
  --columns steps,rounds,average_local_batch_size,bytes,final_train_loss,final_test_loss,final_test_accuracy
for curve in samples:test_accuracy samples:local_batch_size; do
  "$localbatch" plot "$here/resnet20.yaml" --output "$here/results" --write "$folder/figures" \
    --x "${curve%:*}" --y "${curve#*:}"
done
