#!/bin/sh
# Makes the tables and the figures of the novels, in budget/ of the longer runs on them and in medium/ of those of a
# larger model, from the CSV files in results/, here or in another folder.
# Usage: make_table.sh LOCALBATCH [FOLDER]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${2:-$here}
columns=steps,rounds,average_local_batch_size,bytes,final_train_loss,final_test_loss,final_test_bits_per_byte
"$here/../make_table.sh" "$1" "$here/novels.yaml" "$folder" $columns \
  samples:test_bits_per_byte samples:local_batch_size
"$here/../make_table.sh" "$1" "$here/budget.yaml" "$folder/budget" $columns \
  bytes:test_bits_per_byte samples:local_batch_size
"$here/../make_table.sh" "$1" "$here/medium.yaml" "$folder/medium" $columns \
  bytes:test_bits_per_byte samples:local_batch_size
