#!/bin/sh
# Makes the table and the figures of the novels from the CSV files in results/, here or in another folder.
# Usage: make_table.sh LOCALBATCH [FOLDER]
set -eu
localbatch=$1
here=$(cd "$(dirname "$0")" && pwd)
folder=${2:-$here}

"$localbatch" table "$here/novels.yaml" --output "$here/results" --write "$folder" \
  --columns steps,rounds,average_local_batch_size,bytes,final_train_loss,final_test_loss,final_test_bits_per_byte
for curve in samples:test_bits_per_byte samples:local_batch_size; do
  "$localbatch" plot "$here/novels.yaml" --output "$here/results" --write "$folder/figures" \
    --x "${curve%:*}" --y "${curve#*:}"
done
