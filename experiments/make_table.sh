#!/bin/sh
# Makes the table and the figures of an experiment from the CSV files in its results/, for the make_table.sh of a folder.
# Usage: make_table.sh LOCALBATCH FILE FOLDER COLUMNS X:Y...
set -eu
localbatch=$1
file=$2
folder=$3
columns=$4
shift 4
results=$(dirname "$file")/results

"$localbatch" table "$file" --output "$results" --write "$folder" --columns "$columns"
for curve; do
  "$localbatch" plot "$file" --output "$results" --write "$folder/figures" --x "${curve%:*}" --y "${curve#*:}"
done
